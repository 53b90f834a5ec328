"""From any encoded images or sounds to a data set: what folders, the hub and shards have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from multimix.lab.core.checks import check
from multimix.lab.core.errors import UsageError
from multimix.lab.data import audio
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.decode import (
    Encoded,
    check_not_empty,
    decode_some,
    make_split,
    statistics,
    usual_image,
    usual_rate,
)
from multimix.lab.data.images import CroppedImage
from multimix.lab.data.open_context import OpenContext
from multimix.lab.data.options import check_form, check_padding, check_size
from multimix.lab.data.prepare import LogSpectrogram, Normalise, Waveform
from multimix.lab.data.split import Data, Split, stratified
from multimix.lab.data.streamed import Reader

# Which samples are for testing, where nothing else says so, is the same for every run.
SPLIT_SEED = 0
MAX_SECONDS = 600
WINDOW_S, HOP_S = 0.02, 0.01
VALIDATION_NAMES = ("validation", "valid", "val", "dev")


@dataclass(frozen=True, kw_only=True)
class GenericOptions:
    """What can be set where the files alone do not say it.

    Args:
        size: Side in pixels that images are cropped and scaled to; without it they must all have one size.
        padding: Pixels of padding from which training images of one size are cropped.
        flip: Whether to mirror half of the training images.
        form: What becomes of sound: "spectrogram" or "waveform".
        seconds: Length that sounds are cut or padded to.
        test_share: Share of the samples of each class to test on, where there are no splits.
    """

    size: int | None = None
    padding: int = 0
    flip: bool = True
    form: str = "spectrogram"
    seconds: float = 1.0
    test_share: float = 0.2

    def __post_init__(self) -> None:
        if self.size is not None:
            check_size(self.size)
        check_padding(self.padding)
        check_form(self.form)
        check(
            self.size is None or self.padding == 0,
            "padding is for images of one size, which are not cropped and scaled",
            "leave out padding or size",
            padding=self.padding,
            size=self.size,
        )
        check(
            0 < self.seconds <= MAX_SECONDS, f"seconds must be in (0, {MAX_SECONDS}]", "try 1.0", seconds=self.seconds
        )
        check(0 < self.test_share < 1, "test_share must be in (0, 1)", "try 0.2", test_share=self.test_share)


def sound_as(form: str, rate: int) -> Callable[[Tensor], Tensor]:
    """Returns what makes sound of a rate ready for the model, in a form."""
    return Waveform() if form == "waveform" else LogSpectrogram(round(rate * WINDOW_S), round(rate * HOP_S))


def named_splits(
    splits: Mapping[str, Encoded], name: str, options: GenericOptions
) -> tuple[dict[str, Encoded], list[str]]:
    """Returns splits called train, test and, where there is a third, validation; makes them where there is only one.

    Args:
        splits: What was found, by name.
        name: What to call the data in messages.
        options: Their `test_share` counts if there is one split only.

    Returns:
        The splits, and what the user should know about them.
    """
    if len(splits) == 1:
        (whole,) = splits.values()
        kept, taken = stratified(whole.labels, options.test_share, SPLIT_SEED)
        note = (
            f"{name} has no test split: {len(taken)} of {len(whole.labels)} samples were taken, the same in every run"
        )
        return {"train": whole.subset(kept), "test": whole.subset(taken)}, [note]
    validation = next((other for other in VALIDATION_NAMES if other in splits), None)
    if "train" not in splits or ("test" not in splits and validation is None):
        raise UsageError(f"{name} must have splits train and test (or val), got {', '.join(splits)}; rename them")
    sources = {"train": "train", "test": "test", "validation": validation}
    if "test" not in splits:
        sources = {"train": "train", "test": validation}
    used = {part: splits[source] for part, source in sources.items() if source is not None}
    unused = [other for other in splits if other not in sources.values()]
    return used, [f"{name} has splits that are not used: {', '.join(unused)}"] if unused else []


def assemble(
    name: str,
    splits: Mapping[str, Encoded],
    classes: Sequence[str],
    is_sound: bool,
    options: GenericOptions,
    opening: OpenContext,
    normalise: Normalise | None = None,
) -> Data:
    """Makes a data set of encoded samples.

    Args:
        name: What to call it in messages.
        splits: Its samples, by the name of the split.
        classes: Names of the classes.
        is_sound: Whether the samples are sounds; otherwise images.
        options: What was set.
        opening: How it is opened.
        normalise: Of images; otherwise measured on the training split.

    Raises:
        UsageError: if it cannot be used as it is.
    """
    parts, notes = named_splits(splits, name, options)
    check_not_empty(name, [("train on", len(parts["train"].labels)), ("test on", len(parts["test"].labels))])
    blobs = parts["train"].blobs
    reader: Reader
    prepare: Callable[[Tensor], Tensor]
    augment: FlipCrop | None = None
    if is_sound:
        rate = usual_rate(blobs, name)
        reader, prepare = audio.Sound(rate, round(rate * options.seconds)), sound_as(options.form, rate)
    else:
        usual = usual_image(blobs, name, any_size=options.size is not None)
        reader = usual if options.size is None else CroppedImage(usual.channels, options.size, options.flip)
        prepare = normalise or statistics(decode_some(blobs, reader), name)
        augment = FlipCrop(options.padding, options.flip) if options.size is None else None
    made: dict[str, Split] = {
        part: make_split(encoded, reader, prepare, opening, augment if part == "train" else None)
        for part, encoded in parts.items()
    }
    opening.bad_files.settle(name)
    check_not_empty(name, [("train on", len(made["train"])), ("test on", len(made["test"]))])
    return Data(
        made["train"],
        made["test"],
        len(classes),
        tuple(classes),
        made.get("validation"),
        opening.bad_files.found,
        tuple(notes),
    )


def labels_of(names: Sequence[str], classes: Sequence[str]) -> Tensor:
    """Returns the place of each name among the classes, -1 for one that is not there."""
    places = {name: place for place, name in enumerate(classes)}
    return torch.tensor([places.get(name, -1) for name in names], dtype=torch.int64)
