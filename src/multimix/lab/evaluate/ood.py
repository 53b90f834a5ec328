"""Is the model less sure of samples of another kind than those it was trained on?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from multimix.lab.core.checks import check
from multimix.lab.core.randomness import seed_of
from multimix.lab.data import Data
from multimix.lab.evaluate.evaluator import Evaluator, percent
from multimix.lab.evaluate.other_data import fitted, open_other
from multimix.lab.evaluate.samples import pixels_of
from multimix.lab.evaluate.settings import NOISE
from multimix.lab.metrics import evaluation_mode, rows_at_once


@dataclass(frozen=True)
class OutOfDistribution(Evaluator):
    """Measure how well the maximum softmax probability tells test samples from those of another data set.

    Args:
        ood_data: The other data set, or "noise": uniform pixels.
        ood_data_options: Its options.
        data_root: Folder of local copies of data sets.
        seed: Draws the noise.

    Raises:
        UsageError: if no data set is given.

    References:
        Hendrycks and Gimpel, 2017, arXiv 1610.02136, section 3.
    """

    ood_data: str | None = None
    ood_data_options: Mapping[str, Any] = field(default_factory=dict)
    data_root: str | None = None
    seed: int = 0
    metrics: ClassVar = {
        "ood_auroc": percent("AUROC of other data (▲ better)", "AUROC, %", "Robustness", better="higher")
    }

    def __post_init__(self) -> None:
        check(self.ood_data is not None, "ood needs another data set", "give --ood-data", ood_data=None)

    def check(self, data: Data) -> None:
        """Refuse data of which either is no images, or is not there.

        Raises:
            UsageError: if that is so.
        """
        pixels_of(data.test, "ood")
        if self.ood_data != NOISE:
            pixels_of(self._other.test, "ood", "ood_data")

    def __call__(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Return the area under the ROC curve."""
        with evaluation_mode(model):
            inside = [_confidence(model, x) for x, _ in data.test.chunks(rows_at_once(data.test.sample_shape))]
            outside = [_confidence(model, x) for x in self._samples(data, inside[0].device)]
        return {"ood_auroc": auroc(torch.cat(inside), torch.cat(outside))}

    def _samples(self, data: Data, device: torch.device) -> Iterator[Tensor]:
        """Yield samples of the other kind, as this data's model gets them."""
        shape, prepare = tuple(data.test.sample_shape), pixels_of(data.test, "ood")
        most = rows_at_once(data.test.sample_shape)
        if self.ood_data == NOISE:
            generator = torch.Generator().manual_seed(seed_of(self.seed, "noise"))
            for first in range(0, len(data.test), most):
                rows = min(most, len(data.test) - first)
                yield prepare.as_input(torch.rand(rows, *shape, generator=generator).to(device))
            return
        other = self._other.test.to(device)
        theirs = pixels_of(other, "ood", "ood_data")
        for x, _ in other.chunks(most):
            yield fitted(x, theirs, prepare, shape)

    @property
    def _other(self) -> Data:
        return open_other("--ood-data", self.ood_data, self.ood_data_options, self.data_root)


def auroc(inside: Tensor, outside: Tensor) -> float:
    """Return the probability that a score from inside is above one from outside, in [0, 1]; of ties, half count."""
    from sklearn.metrics import roc_auc_score

    is_inside = torch.cat([torch.ones_like(inside), torch.zeros_like(outside)])
    return float(roc_auc_score(is_inside.cpu().numpy(), torch.cat([inside, outside]).cpu().numpy()))


def _confidence(model: nn.Module, x: Tensor) -> Tensor:
    logits: Tensor = model(x)
    return logits.double().softmax(dim=1).amax(dim=1)
