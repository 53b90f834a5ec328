"""How often is the model wrong when samples are corrupted as they are in the world?"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import torch
from torch import Tensor, nn

from multimix.lab.data import Data, Split
from multimix.lab.evaluate.corruptions import CORRUPTIONS, MAIN, SEVERITIES, check_images, corrupt
from multimix.lab.evaluate.corruptions.sound import SOUND, check_sound, corrupt_sound
from multimix.lab.evaluate.evaluation_mode import evaluation_mode, rows_at_once
from multimix.lab.evaluate.evaluator import Evaluator, percent
from multimix.lab.evaluate.published_corruptions import open_published, published_samples
from multimix.lab.evaluate.samples import pixels_of, spread

Corrupted = Iterator[tuple[str, int, Tensor, Tensor]]  # type, severity, samples, labels

MOST_BYTES = 1 << 29  # of corrupted images that are kept for the next model


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
