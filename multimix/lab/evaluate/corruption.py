"""How often is a model wrong when samples are corrupted as they are in the world?"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator

import torch
from torch import Tensor, nn

from multimix.lab.config.evaluating import EvaluateSettings
from multimix.lab.data import Data, Split
from multimix.lab.evaluate.corruptions import EXTRA, MAIN, SEVERITIES, check_images, corrupt
from multimix.lab.evaluate.corruptions.sound import SOUND, check_sound, corrupt_sound
from multimix.lab.evaluate.judging import judged, rows_at_once
from multimix.lab.evaluate.published_corruptions import PublishedCorruptions
from multimix.lab.evaluate.samples import spread

Corrupted = Iterator[tuple[str, int, Tensor, Tensor]]  # type, severity, what the model gets, labels


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
    return _report(_errors(model, _images(test, settings.seed)), MAIN)


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


def _images(split: Split, seed: int) -> Corrupted:
    pixels = split.pixels
    assert pixels is not None

    def corrupted(x: Tensor, name: str, severity: int, first: int) -> Tensor:
        return pixels.as_input(corrupt(pixels.of(x), name, severity, seed, first))

    return _each(split, [*MAIN, *EXTRA], corrupted)


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
