"""How often is the model wrong when samples are corrupted as they are in the world?"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from multimix.lab.core.checks import check
from multimix.lab.core.errors import UsageError
from multimix.lab.data import Data, Split
from multimix.lab.evaluate.corruptions import CORRUPTIONS, MAIN, SEVERITIES, check_images, corrupt
from multimix.lab.evaluate.corruptions.sound import SOUND, check_sound, corrupt_sound
from multimix.lab.evaluate.evaluator import Evaluator, percent
from multimix.lab.evaluate.samples import pixels_of, spread, spread_indices
from multimix.lab.metrics import evaluation_mode, rows_at_once

Corrupted = Iterator[tuple[str, int, Tensor, Tensor]]  # type, severity, samples, labels

MOST_BYTES = 1 << 29  # of corrupted images that are kept for the next model
LABELS = "labels"  # among the published files


@dataclass(frozen=True)
class Corruption(Evaluator):
    """Measure the error on corrupted test samples.

    Images are corrupted in the nineteen ways of CIFAR-10-C, in published files or here; sound in seven ways of
    multimix's own.

    Args:
        corruptions: Folder of the published files.
        num_samples: Most test samples that are corrupted (default all).
        seed: Draws what is random in corruptions made here.
    """

    corruptions: str | None = None
    num_samples: int | None = None
    seed: int = 0
    metrics: ClassVar = {
        "error_corruption": percent("error, corruptions", "error, 15\ncorruptions, %", "Robustness"),
        "error_corruption_extra": percent("error, 4 further corruptions", "4 more,\n%", "Robustness"),
        "error_corruption_all": percent("error, all 19 corruptions", table="Robustness"),
    }

    def check(self, data: Data) -> None:
        """Refuse samples that are neither images nor sound, and published files that are not of this test split.

        Raises:
            UsageError: if that is so.
        """
        if self.corruptions is not None:
            open_published(self.corruptions, data.test)
        elif data.test.pixels is None:
            check_sound(data.test.sample_shape)
        else:
            check_images(data.test.sample_shape)

    def __call__(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Return means over types and severities.

        Returns:
            error_corruption: the mean over the main types; for images also error_corruption_extra, over the four extra
            ones, and error_corruption_all, over both; corruption/<type>; corruption/<type>/<severity>.

        Raises:
            UsageError: as `check`.
        """
        self.check(data)
        if self.corruptions is not None:
            images = open_published(self.corruptions, data.test)
            return _means(_errors(model, published_samples(images, data.test, self.num_samples)), MAIN)
        if data.test.pixels is None:
            return _means(_errors(model, self._sound(data.test)), SOUND)
        return _means(_errors(model, self._images(data.test)), MAIN)

    def _sound(self, split: Split) -> Corrupted:
        few = spread(split, self.num_samples)
        return _each(few, SOUND, lambda x, name, severity, first: corrupt_sound(x, name, severity, self.seed, first))

    def _images(self, split: Split) -> Corrupted:
        pixels = pixels_of(split, "corruption")
        for name, severity, x, labels in self._kept(split):
            yield name, severity, pixels.as_input(x / 255), labels

    def _kept(self, split: Split) -> Corrupted:
        """Return corrupted images as bytes; the last are kept, as making them takes longer than evaluating a model."""
        few = spread(split, self.num_samples)
        if len(few) * prod(few.sample_shape) * len(SEVERITIES) * len(CORRUPTIONS) > MOST_BYTES:
            return self._made(few)
        if not _last or _last[0][0] is not split or _last[0][1] != self:
            _last[:] = [(split, self, [*self._made(few)])]
        return iter(_last[0][2])

    def _made(self, split: Split) -> Corrupted:
        pixels = pixels_of(split, "corruption")

        def corrupted(x: Tensor, name: str, severity: int, first: int) -> Tensor:
            return (corrupt(pixels.of(x), name, severity, self.seed, first) * 255).round().to(torch.uint8)

        return _each(split, CORRUPTIONS, corrupted)


# Of the last split: the runs of a comparison share theirs. Holds at most one.
_last: list[tuple[Split, Corruption, list[tuple[str, int, Tensor, Tensor]]]] = []


def _each(split: Split, names: Collection[str], corrupted: Callable[[Tensor, str, int, int], Tensor]) -> Corrupted:
    """Yield all samples in all ways; they are read once."""
    first = 0
    for x, labels in split.chunks(rows_at_once(split.sample_shape)):
        for name in names:
            for severity in SEVERITIES:
                yield name, severity, corrupted(x, name, severity, first), labels
        first += len(x)


def _errors(model: nn.Module, samples: Corrupted) -> dict[str, dict[int, float]]:
    """Return the error by type and severity."""
    wrong: dict[str, dict[int, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    with evaluation_mode(model):
        for name, severity, x, labels in samples:
            wrong[name][severity].append(model(x).argmax(dim=1) != labels)
    return {
        name: {severity: torch.cat(parts).double().mean().item() for severity, parts in by_severity.items()}
        for name, by_severity in wrong.items()
    }


def _means(errors: dict[str, dict[int, float]], main: Collection[str]) -> dict[str, float]:
    """Return means over severities and types; extra types count as far as there are any."""
    types = {name: _mean(by_severity.values()) for name, by_severity in errors.items()}
    extra = [error for name, error in types.items() if name not in main]
    means = {"error_corruption": _mean([error for name, error in types.items() if name in main])}
    if extra:
        means |= {"error_corruption_extra": _mean(extra), "error_corruption_all": _mean(types.values())}
    for name, by_severity in errors.items():
        means[f"corruption/{name}"] = types[name]
        means |= {f"corruption/{name}/{severity}": error for severity, error in by_severity.items()}
    return means


def _mean(values: Collection[float]) -> float:
    return sum(values) / len(values)


def open_published(folder: str, split: Split) -> dict[str, NDArray[np.uint8]]:
    """Open the published files of a test split, by type: the fifteen main types and as many extra ones as there are.

    A file is <type>.npy, (5 n, H, W, C) bytes, severity after severity in the order of the split; read as needed.

    Raises:
        UsageError: if files are missing, or not of this split.
    """
    home = Path(folder).expanduser()
    remedy = "give the folder with <type>.npy and labels.npy, or leave --corruptions out"
    check(home.is_dir(), "corruptions must be a folder", remedy, corruptions=folder)
    check(split.pixels is not None, "published corruptions are of images", "leave --corruptions out", pixels=None)
    present = [name for name in [*CORRUPTIONS, LABELS] if (home / f"{name}.npy").is_file()]
    missing = [name for name in [*MAIN, LABELS] if name not in present]
    check(not missing, f"corruptions must hold the main types and {LABELS}.npy", remedy, missing=missing)
    channels, height, width = split.sample_shape
    num = len(SEVERITIES) * len(split)
    labels = torch.from_numpy(_array(home / f"{LABELS}.npy", (num,)).astype(np.int64))
    if not torch.equal(labels, split.labels.cpu().repeat(len(SEVERITIES))):
        raise UsageError(
            f"{LABELS}.npy must be the test split's labels, five times over, got others in {folder}; give the files "
            f"that were made of this data set"
        )
    return {name: _array(home / f"{name}.npy", (num, height, width, channels)) for name in present if name != LABELS}


def published_samples(
    images: dict[str, NDArray[np.uint8]], split: Split, num_samples: int | None
) -> Iterator[tuple[str, int, Tensor, Tensor]]:
    """Yield type, severity, what the model gets, and labels."""
    device, pixels = split.labels.device, pixels_of(split, "corruption")
    indices = spread_indices(split.labels, num_samples)
    for name, of_type in images.items():
        for severity in SEVERITIES:
            for chosen in torch.split(indices, rows_at_once(split.sample_shape)):
                rows = of_type[(severity - 1) * len(split) + chosen.numpy()]
                x = torch.from_numpy(rows).to(device).movedim(-1, 1).float() / 255
                yield name, severity, pixels.as_input(x), split.labels[chosen.to(device)]


def _array(file: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    """Open an array of bytes without reading it; nothing in it is run."""
    try:
        array: Any = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{file} must be an array in numpy's format, got: {error}; copy it again") from error
    is_right = isinstance(array, np.ndarray) and array.shape == shape and array.dtype.kind in "ui"
    if not is_right or (len(shape) > 1 and array.dtype != np.uint8):
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise UsageError(f"{file} must be bytes of shape {shape}, got {got}; give the files made of this data set")
    return np.asarray(array)
