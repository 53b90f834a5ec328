"""From encoded images or sounds of any kind to a data set: what folders, the hub and shards have in common."""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from multimix.lab.core.errors import UsageError
from multimix.lab.data.assembly import check_not_empty
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files.audio import Sound
from multimix.lab.data.files.blobs import Encoded
from multimix.lab.data.files.decode import Reader, decode_some, usual_image, usual_rate
from multimix.lab.data.files.images import CroppedImage
from multimix.lab.data.options import GenericOptions
from multimix.lab.data.prepare import Normalise, sound_as
from multimix.lab.data.split import stratified

# Which samples are for testing, where nothing else says so, is the same for every run.
SPLIT_SEED = 0
VALIDATION_NAMES = ("validation", "valid", "val", "dev")
SPLITS = ("train", "test", *VALIDATION_NAMES)


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
        rate = usual_rate(blobs, name)
        reader, prepare = Sound(rate, round(rate * options.seconds)), sound_as(options.form, rate)
        return EncodedData(name, parts, classes, reader, prepare, notes=notes)
    reader = usual = usual_image(blobs, name, any_size=options.size is not None)
    augment: FlipCrop | None = FlipCrop(options.padding, options.flip)
    if options.size is not None:
        reader, augment = CroppedImage(usual.channels, options.size, options.flip), None
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
