"""From encoded images or sounds of any kind to a data set: what folders, the hub and shards have in common."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from torch import Tensor

from multimix.lab.core.errors import UsageError
from multimix.lab.data.assembly import check_not_empty
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import UNUSABLE, Blobs, Encoded, audio, images
from multimix.lab.data.files.decode import Reader, decode_some
from multimix.lab.data.options import GenericOptions
from multimix.lab.data.prepare import Normalise, sound_as
from multimix.lab.data.split import stratified

# Which samples are for testing, where nothing else says so, is the same for every run.
SPLIT_SEED = 0
VALIDATION_NAMES = ("validation", "valid", "val", "dev")
NUM_GLANCES = 200  # samples looked at to see what is usual in a folder
SPLITS = ("train", "test", *VALIDATION_NAMES)

Header = TypeVar("Header")


def generic_data(
    name: str,
    splits: Mapping[str, Encoded],
    classes: Sequence[str],
    options: GenericOptions,
    is_sound: bool = False,
    normalise: Normalise | None = None,
) -> EncodedData:
    """Find out how encoded samples are to be decoded, where their size or rate is not published.

    Args:
        name: What to call the data set in messages.
        splits: Its samples, by the name of the split.
        classes: Names of the classes.
        options: What was set.
        is_sound: Whether the samples are sounds; otherwise images.
        normalise: Of images; otherwise measured on the training split.

    Raises:
        UsageError: if it cannot be used as it is.
    """
    parts, notes = _named_splits(name, splits, options.test_share)
    check_not_empty(name, parts)
    blobs = parts["train"].blobs
    reader: Reader
    prepare: Callable[[Tensor], Tensor]
    if is_sound:
        rate = _usual_rate(blobs, name)
        reader, prepare = audio.Sound(rate, round(rate * options.seconds)), sound_as(options.form, rate)
        return EncodedData(name, parts, classes, reader, prepare, notes=notes)
    reader = usual = _usual_image(blobs, name, any_size=options.size is not None)
    augment: FlipCrop | None = FlipCrop(options.padding, options.flip)
    if options.size is not None:
        reader, augment = images.CroppedImage(usual.channels, options.size, options.flip), None
    prepare = normalise or Normalise.measured(decode_some(blobs, reader), name)
    return EncodedData(name, parts, classes, reader, prepare, augment, notes)


def _named_splits(
    name: str, splits: Mapping[str, Encoded], test_share: float
) -> tuple[dict[str, Encoded], tuple[str, ...]]:
    """Return splits called train, test and, where there is a third, validation; make them where there is only one.

    Returns:
        The splits, and what the user should know about them.
    """
    if len(splits) == 1:
        (whole,) = splits.values()
        kept, taken = stratified(whole.labels, test_share, SPLIT_SEED)
        if len(whole) and not (len(kept) and len(taken)):
            raise UsageError(
                f"{name} has no test split, so test_share must leave samples on both sides, got test_share="
                f"{test_share} of {len(whole)} samples; give more, a folder test, or --data-options.test_share 0.5"
            )
        note = f"{name} has no test split: {len(taken)} of {len(whole)} samples were taken, the same in every run"
        return {"train": whole.subset(kept), "test": whole.subset(taken)}, (note,)
    validation = next((other for other in VALIDATION_NAMES if other in splits), None)
    sources = {"train": "train", "test": "test" if "test" in splits else validation}
    if "train" not in splits or sources["test"] is None:
        raise UsageError(f"{name} must have splits train and test (or val), got {', '.join(splits)}; rename them")
    if validation not in (None, sources["test"]):
        sources["validation"] = validation
    unused = [other for other in splits if other not in sources.values()]
    notes = (f"{name} has splits that are not used: {', '.join(unused)}",) if unused else ()
    return {part: splits[source] for part, source in sources.items() if source is not None}, notes


def _usual_image(blobs: Blobs, what: str, any_size: bool = False) -> images.WholeImage:
    """Return a reader for images of the size, and grey or colour, that most of them have.

    Args:
        blobs: The encoded
        what: What to call them in messages.
        any_size: Whether their sizes may differ.

    Raises:
        UsageError: if no size is that of most.
    """
    counts = _glances(blobs, images.header, f"{what} must hold images")
    # Each by itself: colour may vary where the size does not. Of as many grey and coloured ones colour is kept.
    modes = Counter(channels for channels, _, _ in counts.elements())
    channels = max(modes, key=lambda channels: (modes[channels], channels))
    of_size = Counter((height, width) for _, height, width in counts.elements())
    (height, width), count = of_size.most_common(1)[0]
    if not any_size and count * 2 <= counts.total():
        sizes = ", ".join(f"{wide} × {high}" for high, wide in list(of_size)[:3])
        raise UsageError(
            f"images of {what} must have one size unless they are to be cropped and scaled, got {sizes}, …; "
            f"pass --data-options.size, such as 224"
        )
    return images.WholeImage(channels, height, width)


def _usual_rate(blobs: Blobs, what: str) -> int:
    """Return the rate, in samples per second, that most sounds have.

    Raises:
        UsageError: if none can be read.
    """
    return _glances(blobs, lambda content: audio.header(content)[0], f"{what} must hold sounds").most_common(1)[0][0]


def _glances(blobs: Blobs, header: Callable[[bytes], Header], rule: str) -> Counter[Header]:
    """Count what the headers of some samples say, evenly spaced; bad ones are left to decoding."""
    counts: Counter[Header] = Counter()
    for index in range(0, len(blobs), max(1, len(blobs) // NUM_GLANCES)):
        with suppress(*UNUSABLE):
            counts[header(blobs.read(index))] += 1
    if not counts:
        raise UsageError(f"{rule} that can be read, got {len(blobs)} that cannot; give another folder")
    return counts
