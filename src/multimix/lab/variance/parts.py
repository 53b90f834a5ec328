"""Of what parts is the variance made, and do they predict it?

Parts need gradients of single rows, so rows must not depend on each other: batch norm uses its kept statistics. They
also need that a mix depends on its pair and one coefficient alone: input mixup, or manifold mixup at one layer.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from multimix import ManifoldMixup, MixUp
from multimix.lab.variance.designs import LARGE, MIXES, Design
from multimix.lab.variance.measuring import Measured, finite, gradients, mixer_of
from multimix.lab.variance.probe import Probe, chosen_mixes
from multimix.variance import Components, Estimate, components, predicted

COEFFICIENTS = 12  # shared by all pairs, or batches, of a table
PAIRS = 32  # independent ones
DRAW = 0  # the plan that gives all units of a table the same coefficients
MOST_VALUES = 1 << 29  # of a table: 2 GiB


@dataclass(frozen=True)
class Check:
    """A design's variance, predicted and measured.

    Args:
        design: The design.
        predicted: From A_eff, B, C and C_eff, as batches are paired.
        independent: From A, B and C, as if pairs were independent.
        measured: From replicate batches.
    """

    design: Design
    predicted: float
    independent: float
    measured: Estimate


@dataclass(frozen=True)
class Parts:
    """The parts of a gradient's variance.

    Args:
        norm: Statistics of batch norm, "kept", or "none" where there is none.
        pairs: A, B and C of independent pairs.
        batches: A_eff / P, B and C_eff / P of batches.
        num_pairs: P.
        checks: What they predict.
    """

    norm: str
    pairs: Components
    batches: Components
    num_pairs: int
    checks: list[Check]


def why_not(probe: Probe, replicates: int) -> str | None:
    """Return why the parts cannot be had; None if they can."""
    values = max(PAIRS, replicates) * COEFFICIENTS * probe.empty(0).shape[1]
    if values > MOST_VALUES:
        return f"a table of {values:,} values is too large"
    method = mixer_of(probe, Design.of(MIXES, 1, 2, ("iid", "batch", "same"))).method
    if isinstance(method, MixUp):
        return None
    if isinstance(method, ManifoldMixup):
        if len(method.layer_names(probe.model)) == 1:
            return None
        return "a layer is drawn in each step, so a mix is not given by its pair and its coefficient"
    return "a mix is not given by its pair and its coefficient"


def parts(probe: Probe, num_pairs: int, num_mixes: int, replicates: int) -> Parts:
    """Measure the parts, and check what they predict with P pairs and K mixes.

    Raises:
        RunFailed: if a gradient is not finite.
    """
    probe.set_norm("kept")
    pairs = components(pair_table(probe))
    batches = components(batch_table(probe, num_pairs, replicates))
    checks = []
    for kind in (MIXES, LARGE):
        for share in ("pair", "batch"):
            design = Design.of(kind, num_mixes, num_pairs, ("iid", share, "same"), norm="kept")
            both = batches.both * num_pairs if share == "batch" else pairs.both
            predict = partial(predicted, num_pairs=design.num_pairs, num_mixes=design.mixes_per_pair, share=share)
            checks.append(
                Check(
                    design,
                    predict(batches.pair * num_pairs, batches.coefficient, both),
                    predict(pairs.pair, pairs.coefficient, pairs.both),
                    Measured.of(gradients(probe, design, replicates)).variance,
                )
            )
    return Parts("kept" if probe.has_batch_norm else "none", pairs, batches, num_pairs, checks)


def pair_table(probe: Probe) -> Tensor:
    """Return the (pairs, coefficients, D) gradients of independent pairs, all with the same coefficients."""
    mix = mixer_of(probe, Design.of(MIXES, COEFFICIENTS, 2, ("iid", "batch", "same")))
    rows = []
    for x, labels in probe.batches(2, PAIRS):
        first, _ = probe.plan(mix, x, labels, DRAW).split(2)  # two samples are two pairs; the other one is no new one
        rows.append(probe.row_gradients(mix, x, labels, first))
    return finite(torch.stack(rows))


def batch_table(probe: Probe, num_pairs: int, replicates: int) -> Tensor:
    """Return the (batches, coefficients, D) gradients of batches, all with the same coefficients."""
    mix = mixer_of(probe, Design.of(MIXES, COEFFICIENTS, num_pairs, ("iid", "batch", "same")))
    table = probe.empty(replicates * COEFFICIENTS)
    for unit, (x, labels) in enumerate(probe.batches(num_pairs, replicates)):
        plan = probe.plan(mix, x, labels, DRAW)
        for k in range(COEFFICIENTS):
            row = unit * COEFFICIENTS + k
            table[row] = probe.gradient(mix, x, labels, chosen_mixes(plan, torch.tensor([[k]])), row)
    return finite(table).view(replicates, COEFFICIENTS, -1)
