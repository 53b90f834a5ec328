"""Replicate gradients of a design, and what they say."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from multimix import MultiMix
from multimix.lab.core.errors import RunFailed
from multimix.lab.core.randomness import seed_of
from multimix.lab.train.method_schedule import mixer
from multimix.lab.variance.designs import Design
from multimix.lab.variance.probe import Probe, chosen_mixes
from multimix.variance import Estimate, common_variance, own_variance, ratio, squared_mean, total_variance

FLOOR_MIXES = 4  # of each of two draws; the floor itself does not depend on it


@dataclass(frozen=True)
class Measured:
    """What replicate gradients say.

    Args:
        variance: Of one batch's gradient.
        squared_mean: Squared norm of the expected gradient.
    """

    variance: Estimate
    squared_mean: Estimate

    @classmethod
    def of(cls, gradients: Tensor) -> "Measured":
        """Estimate from (replicates, D) gradients."""
        return cls(total_variance(gradients), squared_mean(gradients))

    @property
    def relative(self) -> Estimate:
        """The variance over the squared norm of the expected gradient: no scaling of the loss changes it."""
        return ratio(self.variance, self.squared_mean)


@dataclass(frozen=True)
class Floor:
    """Two draws of coefficients for the same pairs.

    Args:
        common: What they have in common: the variance for K to infinity.
        own: What the coefficients add to it with `FLOOR_MIXES` i.i.d. mixes.
    """

    common: Estimate
    own: Estimate


def mixer_of(probe: Probe, design: Design) -> MultiMix:
    """Return the mixer of a design."""
    drawn = replace(
        probe.settings,
        num_mixes=design.mixes_per_pair,
        sampling=design.sampling,
        share=design.share,
        partners=design.partners,
        batch_size=design.rows,
        micro_batch_size=None,
    )
    return mixer(drawn, probe.num_classes, design.mixes_per_pair)


def gradients(probe: Probe, design: Design, replicates: int) -> Tensor:
    """Return the (replicates, D) gradients of a design's batches.

    Raises:
        RunFailed: if one is not finite.
    """
    mix = mixer_of(probe, design)
    probe.set_norm(design.norm)
    rows = probe.empty(replicates)
    for draw, (x, labels) in enumerate(probe.batches(design.num_pairs, replicates)):
        rows[draw] = probe.gradient(mix, x, labels, probe.plan(mix, x, labels, draw), draw)
    return finite(rows)


def floor(probe: Probe, design: Design, replicates: int) -> Floor:
    """Measure what a design's pairs and partners give whatever the coefficients.

    A plan of twice as many i.i.d. mixes is cut into two, at random for each pair, as coefficients come sorted: the same
    pairs, partners and geometry, independent coefficients. With fresh partners the halves may share a cycle, which
    changes the result by a share of about 1/P.

    Raises:
        RunFailed: if a gradient is not finite.
    """
    mix = mixer_of(probe, replace(design, mixes_per_pair=2 * FLOOR_MIXES, sampling="iid"))
    probe.set_norm(design.norm)
    rows = probe.empty(2 * replicates)
    for draw, (x, labels) in enumerate(probe.batches(design.num_pairs, replicates)):
        plan = probe.plan(mix, x, labels, draw)
        generator = torch.Generator().manual_seed(seed_of(probe.settings.seed, "variance halves", draw))
        columns = 1 if design.share == "batch" else plan.num_pairs  # one order for all that share their coefficients
        order = torch.rand(plan.num_mixes, columns, generator=generator).argsort(dim=0)
        for row, half in ((draw, order[:FLOOR_MIXES]), (replicates + draw, order[FLOOR_MIXES:])):
            rows[row] = probe.gradient(mix, x, labels, chosen_mixes(plan, half), row)
    finite(rows)
    return Floor(
        common_variance(rows[:replicates], rows[replicates:]), own_variance(rows[:replicates], rows[replicates:])
    )


def clipped(gradients: Tensor, norm: float) -> Tensor:
    """Return gradients shortened to a norm."""
    factors: Tensor = (norm / torch.linalg.vector_norm(gradients, dim=1, keepdim=True)).clamp(max=1)
    return gradients * factors


def finite(gradients: Tensor) -> Tensor:
    """Return gradients as they are.

    Raises:
        RunFailed: if one is not finite.
    """
    if not gradients.isfinite().all():
        raise RunFailed("gradients must be finite, got some that are not; try a lower learning rate")
    return gradients
