"""Is the model linear between two samples, as mixup trains it to be?

At lam * x + (1 - lam) * x', mixup's label is the same blend of the two labels.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from multimix import CutMix, MultiMix, Plan
from multimix.lab.core.errors import UsageError
from multimix.lab.core.randomness import seed_of
from multimix.lab.data import Data
from multimix.lab.evaluate.evaluator import Evaluator, percent
from multimix.lab.evaluate.samples import spread
from multimix.lab.metrics import evaluation_mode

GRID = tuple(number / 10 for number in range(1, 10))
CUTMIX = MultiMix(CutMix(boxes="inside"), num_mixes=len(GRID))
PAIRS = MultiMix("mixup", num_mixes=1)  # for samples that no box can be cut from; only its partners are used
ROWS = 256  # samples among which partners are found

Predict = Callable[[Tensor], Tensor]  # what the model gets, (N, ...), to probabilities, (N, C)


@dataclass(frozen=True)
class Linearity(Evaluator):
    """Measure how far predictions between two samples are from the blend of those at the samples.

    Args:
        num_samples: Most test samples that are paired (default all).
        seed: Draws the pairs and boxes.

    References:
        Zhang et al., 2018, arXiv 1710.09412, section 2: linear behaviour between samples. The distance is ours.
    """

    num_samples: int | None = None
    seed: int = 0
    metrics: ClassVar = {
        "linearity_gap": percent("gap along MixUp's path", "gap,\nmixup, %", "Linearity"),
        "linearity_gap_cutmix": percent("gap along CutMix's path", "gap,\nCutMix, %", "Linearity"),
    }

    def check(self, data: Data) -> None:
        """Refuse a single sample.

        Raises:
            UsageError: if there are no two.
        """
        most = min(len(data.test), self.num_samples or len(data.test))
        if most < 2:
            raise UsageError(
                f"linearity needs at least two test samples, got {most}; raise num_samples, or leave it out"
            )

    def __call__(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Return the mean gaps over pairs: of each place on the straight path, of all of them, along CutMix's path."""
        gaps: dict[str, list[Tensor]] = defaultdict(list)

        def predict(x: Tensor) -> Tensor:
            return model(x).double().softmax(dim=1)  # type: ignore[no-any-return]

        with evaluation_mode(model):
            for number, x in enumerate(self._samples(data)):
                generator = torch.Generator().manual_seed(seed_of(self.seed, "pairs", number))
                cut = x.ndim > 2
                plan = (CUTMIX if cut else PAIRS).plan(x, generator=generator)
                for lam, gap in straight_gaps(predict, x, plan.partner):
                    gaps[f"linearity/{lam}"].append(gap)
                if cut:
                    gaps["linearity_gap_cutmix"] += cutmix_gaps(predict, x, plan)
        values = {name: torch.cat(parts).mean().item() for name, parts in gaps.items()}
        return {"linearity_gap": sum(values[f"linearity/{lam}"] for lam in GRID) / len(GRID), **values}

    def _samples(self, data: Data) -> Iterator[Tensor]:
        """Yield test samples in random order, so that a sample's partner may be of any class."""
        split = spread(data.test, self.num_samples)
        generator = torch.Generator().manual_seed(seed_of(self.seed, "order"))
        for x, _ in split.subset(torch.randperm(len(split), generator=generator)).chunks(ROWS):
            if len(x) > 1:  # one that is left over has no partner
                yield x


def straight_gaps(predict: Predict, x: Tensor, partner: Tensor) -> Iterator[tuple[float, Tensor]]:
    """Yield each lam of the grid with the (N,) distances at lam * x + (1 - lam) * x[partner]."""
    ends = predict(x)
    for lam in GRID:
        between = predict(lam * x + (1 - lam) * x[partner])
        yield lam, distance(between, lam * ends + (1 - lam) * ends[partner])


def cutmix_gaps(predict: Predict, x: Tensor, plan: Plan) -> Iterator[Tensor]:
    """Yield the (N,) distances at each mix of a plan; the blend of the ends has the weights of the boxes."""
    ends = predict(x)
    mixed, _ = CUTMIX.apply(plan, x)
    for rows, weight in zip(torch.split(mixed, len(x)), plan.weight.double().unsqueeze(2), strict=True):
        yield distance(predict(rows), weight * ends + (1 - weight) * ends[plan.partner])


def distance(p: Tensor, q: Tensor) -> Tensor:
    """Return the total variation distance of distributions (N, C), in [0, 1]: of any set of classes, the largest."""
    return (p - q).abs().sum(dim=1) / 2
