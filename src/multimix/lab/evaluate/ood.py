"""Is the model less sure of samples that are of another kind than what it learnt?"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from multimix.lab.core.errors import UsageError
from multimix.lab.core.randomness import seed_of
from multimix.lab.data import Data, Split, open_data
from multimix.lab.data.prepare import Pixels
from multimix.lab.evaluate.fitted import fitted
from multimix.lab.evaluate.judging import judged
from multimix.lab.evaluate.settings import NOISE, EvaluateSettings

ROWS = 1024  # per forward pass


def auroc(inside: Tensor, outside: Tensor) -> float:
    """Returns the chance that a score from inside is above one from outside, in [0, 1]; of ties, half count."""
    from sklearn.metrics import roc_auc_score

    is_inside = torch.cat([torch.ones_like(inside), torch.zeros_like(outside)])
    return float(roc_auc_score(is_inside.cpu().numpy(), torch.cat([inside, outside]).cpu().numpy()))


def evaluate_ood(model: nn.Module, data: Data, settings: EvaluateSettings) -> dict[str, float]:
    """Returns how well the maximum softmax probability tells test samples from those of `settings.ood_data`.

    References:
        Hendrycks and Gimpel, 2017, arXiv 1610.02136, section 3.
    """
    with judged(model):
        inside = [_confidence(model, x) for x, _ in data.test.chunks(ROWS)]
        outside = [_confidence(model, x) for x in _strangers(data, settings, inside[0].device)]
    return {"ood_auroc": auroc(torch.cat(inside), torch.cat(outside))}


def _confidence(model: nn.Module, x: Tensor) -> Tensor:
    logits: Tensor = model(x)
    return logits.double().softmax(dim=1).amax(dim=1)


def _strangers(data: Data, settings: EvaluateSettings, device: torch.device) -> Iterator[Tensor]:
    """Yields samples of another kind, as this data's model gets them."""
    shape, prepare = data.test.sample_shape, _pixels_of(data.test, "the run's data")
    if settings.ood_data == NOISE:
        generator = torch.Generator().manual_seed(seed_of(settings.seed, "noise"))
        for first in range(0, len(data.test), ROWS):
            rows = min(ROWS, len(data.test) - first)
            yield prepare.as_input(torch.rand(rows, *shape, generator=generator).to(device))
        return
    other = _other(settings).to(device)
    theirs = _pixels_of(other, "ood_data")
    for x, _ in other.chunks(ROWS):
        yield fitted(x, theirs, prepare, tuple(shape))


def check_ood_data(data: Data, settings: EvaluateSettings) -> None:
    """Refuses data of which either is no images, or is not there.

    Raises:
        UsageError: if that is so.
    """
    _pixels_of(data.test, "the run's data")
    if settings.ood_data != NOISE:
        _pixels_of(_other(settings), "ood_data")


def _other(settings: EvaluateSettings) -> Split:
    assert settings.ood_data is not None  # the settings see to it
    try:
        return _open(settings.ood_data, tuple(settings.ood_data_options.items()), settings.data_root).test
    except UsageError as error:
        raise UsageError(str(error).replace("--data-options", "--ood-data-options")) from error


@lru_cache(maxsize=1)
def _open(name: str, options: tuple[tuple[str, Any], ...], root: str | None) -> Data:
    """Opens the other data once, not once for every run."""
    return open_data(name, dict(options), root=root)


def _pixels_of(split: Split, what: str) -> Pixels:
    if split.pixels is None:
        raise UsageError(
            f"ood needs images, got samples of shape {tuple(split.sample_shape)} that are none as {what}; "
            f"choose others, or leave it out"
        )
    return split.pixels
