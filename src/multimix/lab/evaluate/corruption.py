"""How often is a model wrong when samples are corrupted as they are in the world?"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from multimix.lab.data import Data, Split
from multimix.lab.data.prepare import Pixels
from multimix.lab.evaluate.corruptions import EXTRA, MAIN, SEVERITIES, check_images, corrupt
from multimix.lab.evaluate.corruptions.sound import SOUND, check_sound, corrupt_sound
from multimix.lab.evaluate.judging import judged, rows_at_once
from multimix.lab.evaluate.published_corruptions import PublishedCorruptions
from multimix.lab.evaluate.samples import spread
from multimix.lab.evaluate.settings import EvaluateSettings

Corrupted = Iterator[tuple[str, int, Tensor, Tensor]]  # type, severity, samples, labels

MOST_BYTES = 1 << 29  # of corrupted images that are kept for the next model


@dataclass(frozen=True)
class _Images:
    """Corrupted images of a split, and how many samples and which seed were asked for."""

    split: Split
    asked: tuple[int | None, int]
    images: list[tuple[str, int, Tensor, Tensor]]


_last: list[_Images] = []  # at most one: the runs of a comparison share their test split


def evaluate_corruption(model: nn.Module, data: Data, settings: EvaluateSettings) -> dict[str, float]:
    """Returns the error on corrupted test samples: mean of all types and severities, of each type, and each alone.

    Images are met with the nineteen types of CIFAR-10-C: from the published files if `settings.corruptions` names their
    folder, else made here. Sound is met with seven types of multimix's own.

    Returns:
        error_corruption: the mean over the main types; for images also error_corruption_extra, over the four extra
        ones, and error_corruption_all, over both; corruption/<type>; corruption/<type>/<severity>.

    Raises:
        UsageError: if the samples are neither images nor sound, or the published files are not of this test split.
    """
    check_can_be_corrupted(data, settings)
    if settings.corruptions is not None:
        published = PublishedCorruptions.open(settings.corruptions, data.test, settings.num_samples)
        return _report(_errors(model, published.samples()), MAIN)
    test = spread(data.test, settings.num_samples)
    if test.pixels is None:
        return _report(_errors(model, _sound(test, settings.seed)), SOUND)
    images = _images(test, settings.seed)
    if len(test) * prod(test.sample_shape) * len(SEVERITIES) * len([*MAIN, *EXTRA]) <= MOST_BYTES:
        images = _kept(data.test, (settings.num_samples, settings.seed), images)
    return _report(_errors(model, _as_input(images, test.pixels)), MAIN)


def check_can_be_corrupted(data: Data, settings: EvaluateSettings) -> None:
    """Refuses samples that are neither images nor sound, and published files that are not of this test split.

    Raises:
        UsageError: if that is so.
    """
    if settings.corruptions is not None:
        PublishedCorruptions.open(settings.corruptions, data.test, settings.num_samples)
    elif data.test.pixels is None:
        check_sound(data.test.sample_shape)
    else:
        check_images(data.test.sample_shape)


def _kept(split: Split, asked: tuple[int | None, int], images: Corrupted) -> Corrupted:
    """Returns the images that were made last, if they are the same; making them takes longer than judging a model."""
    if not _last or _last[0].split is not split or _last[0].asked != asked:
        _last[:] = [_Images(split, asked, [*images])]
    return iter(_last[0].images)


def _images(split: Split, seed: int) -> Corrupted:
    """Yields corrupted images as bytes."""
    pixels = split.pixels
    assert pixels is not None

    def corrupted(x: Tensor, name: str, severity: int, first: int) -> Tensor:
        return (corrupt(pixels.of(x), name, severity, seed, first) * 255).round().to(torch.uint8)

    return _each(split, [*MAIN, *EXTRA], corrupted)


def _as_input(images: Corrupted, pixels: Pixels) -> Corrupted:
    for name, severity, x, labels in images:
        yield name, severity, pixels.as_input(x / 255), labels


def _sound(split: Split, seed: int) -> Corrupted:
    return _each(split, [*SOUND], lambda x, name, severity, first: corrupt_sound(x, name, severity, seed, first))


def _each(split: Split, names: list[str], corrupted: Callable[[Tensor, str, int, int], Tensor]) -> Corrupted:
    """Yields all samples in all ways; they are read once."""
    first = 0
    for x, labels in split.chunks(rows_at_once(split.sample_shape)):
        for name in names:
            for severity in SEVERITIES:
                yield name, severity, corrupted(x, name, severity, first), labels
        first += len(x)


def _errors(model: nn.Module, samples: Corrupted) -> dict[str, dict[int, float]]:
    """Returns the error by type and severity."""
    wrong: dict[str, dict[int, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    with judged(model):
        for name, severity, x, labels in samples:
            wrong[name][severity].append(model(x).argmax(dim=1) != labels)
    return {
        name: {severity: torch.cat(parts).double().mean().item() for severity, parts in by_severity.items()}
        for name, by_severity in wrong.items()
    }


def _report(errors: dict[str, dict[int, float]], main: Collection[str]) -> dict[str, float]:
    """Returns means over severities and types; extra types are reported as far as there are any."""
    types = {name: sum(by_severity.values()) / len(by_severity) for name, by_severity in errors.items()}
    extra = [error for name, error in types.items() if name not in main]
    report = {"error_corruption": _mean([error for name, error in types.items() if name in main])}
    if extra:
        report["error_corruption_extra"] = _mean(extra)
        report["error_corruption_all"] = _mean(list(types.values()))
    for name, by_severity in errors.items():
        report[f"corruption/{name}"] = types[name]
        report |= {f"corruption/{name}/{severity}": error for severity, error in by_severity.items()}
    return report


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
