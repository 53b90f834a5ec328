"""Between two samples, does the prediction go straight from one's to the other's?

Mixup trains for that: at a share lam of one sample and 1 - lam of another the labels are mixed alike.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from multimix import CutMix, MultiMix, Plan
from multimix.lab.core.errors import UsageError
from multimix.lab.core.randomness import seed_of
from multimix.lab.data import Data
from multimix.lab.evaluate.judging import judged
from multimix.lab.evaluate.samples import spread
from multimix.lab.evaluate.settings import EvaluateSettings

GRID = tuple(number / 10 for number in range(1, 10))
CUTMIX = MultiMix(CutMix(boxes="inside"), num_mixes=len(GRID))
PAIRS = MultiMix("mixup", num_mixes=1)  # for samples that no box can be cut from; only its partners are used
ROWS = 256  # samples among which partners are found

Predict = Callable[[Tensor], Tensor]  # what the model gets, (N, ...), to probabilities, (N, C)


def evaluate_linearity(model: nn.Module, data: Data, settings: EvaluateSettings) -> dict[str, float]:
    """Returns how far predictions on a path are from the blend of those at its ends: means over pairs and places.

    References:
        Zhang et al., 2018, arXiv 1710.09412, section 2: linear behaviour between samples. The distance is ours.
    """
    gaps: dict[str, list[Tensor]] = defaultdict(list)
    with judged(model):
        for number, x in enumerate(_samples(data, settings)):
            generator = torch.Generator().manual_seed(seed_of(settings.seed, "pairs", number))
            cut = x.ndim > 2
            plan = (CUTMIX if cut else PAIRS).plan(x, generator=generator)
            for lam, gap in straight_gaps(_predict(model), x, plan.partner):
                gaps[f"linearity/{lam}"].append(gap)
            if cut:
                gaps["linearity_gap_cutmix"] += cutmix_gaps(_predict(model), x, plan)
    values = {name: torch.cat(parts).mean().item() for name, parts in gaps.items()}
    return {"linearity_gap": sum(values[f"linearity/{lam}"] for lam in GRID) / len(GRID), **values}


def straight_gaps(predict: Predict, x: Tensor, partner: Tensor) -> Iterator[tuple[float, Tensor]]:
    """Yields each lam of the grid with the (N,) distances at lam * x + (1 - lam) * x[partner]."""
    ends = predict(x)
    for lam in GRID:
        between = predict(lam * x + (1 - lam) * x[partner])
        yield lam, distance(between, lam * ends + (1 - lam) * ends[partner])


def cutmix_gaps(predict: Predict, x: Tensor, plan: Plan) -> Iterator[Tensor]:
    """Yields the (N,) distances at each mix of a plan; the blend of the ends has the weights of the boxes."""
    ends = predict(x)
    mixed, _ = CUTMIX.apply(plan, x)
    for rows, weight in zip(torch.split(mixed, len(x)), plan.weight.double().unsqueeze(2), strict=True):
        yield distance(predict(rows), weight * ends + (1 - weight) * ends[plan.partner])


def distance(p: Tensor, q: Tensor) -> Tensor:
    """Returns the total variation of two laws, (N, C): the largest difference of any set of classes, in [0, 1]."""
    return (p - q).abs().sum(dim=1) / 2


def _predict(model: nn.Module) -> Predict:
    return lambda x: model(x).double().softmax(dim=1)


def _samples(data: Data, settings: EvaluateSettings) -> Iterator[Tensor]:
    """Yields test samples in random order, so that a sample's partner may be of any class."""
    split = spread(data.test, settings.num_samples)
    generator = torch.Generator().manual_seed(seed_of(settings.seed, "order"))
    for x, _ in split.subset(torch.randperm(len(split), generator=generator)).chunks(ROWS):
        if len(x) > 1:  # one that is left over has no partner
            yield x


def check_a_pair(data: Data, settings: EvaluateSettings) -> None:
    """Refuses a single sample.

    Raises:
        UsageError: if there are no two.
    """
    most = min(len(data.test), settings.num_samples or len(data.test))
    if most < 2:
        raise UsageError(f"linearity needs at least two test samples, got {most}; raise num_samples, or leave it out")
