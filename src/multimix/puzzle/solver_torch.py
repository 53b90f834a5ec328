"""Masks of a whole batch in plain tensor operations: any device, no value is read by the host.

Grids whose shorter side is at most `EXACT_SIDE` are solved exactly by dynamic programming over broken profiles; larger
ones, and three levels, by accelerated projected gradient on the dual of the total-variation prox, whose solution is
cut at every threshold.
"""

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from multimix.puzzle.scaling import at_unit_size
from multimix.shapes import widest

EXACT_SIDE = 8  # 256 states a step
TIE = 2e-6  # of the range of the gains: levels as close as this to a threshold count as equal to it


def solve_two_levels_batched(
    gain: Float[Tensor, "P H W"],
    right: Float[Tensor, "P H W1"],
    down: Float[Tensor, "P H1 W"],
    thresholds: Float[Tensor, "K P"],
    steps: int | None = None,
) -> Bool[Tensor, "K P H W"]:
    """As `solve_masks`. `steps` forces the prox with so many steps, whatever the grid."""
    gain, right, down, thresholds, _ = at_unit_size(gain, right, down, thresholds, gain.new_zeros(len(gain)))
    if steps is None and min(gain.shape[1:]) <= EXACT_SIDE:
        return _profile_masks(gain, right, down, thresholds)
    level = tv_prox(gain, right, down, _steps(gain) if steps is None else steps)
    return _above(level[None], thresholds, gain)


def solve_three_levels_batched(
    gain: Float[Tensor, "P H W"],
    right: Float[Tensor, "P H W1"],
    down: Float[Tensor, "P H1 W"],
    thresholds: Float[Tensor, "K P"],
    spread: Float[Tensor, "P"],
    steps: int | None = None,
) -> UInt8[Tensor, "K P H W"]:
    """Twice the mask with values 0, 1/2, 1."""
    gain, right, down, thresholds, spread = at_unit_size(gain, right, down, thresholds, spread)
    offset = spread[:, None, None]
    doubled = torch.stack([gain / 2 + offset, gain / 2 - offset], dim=1)
    flows = [_Flow(right / 4, 3, 0, 0), _Flow(down / 4, 2, 0, 0), _Flow(right / 4, 3, 1, 1), _Flow(down / 4, 2, 1, 1)]
    flows += [_Flow(right / 2, 3, 1, 0, one_way=True), _Flow(right / 2, 3, 1, 0, one_way=True, backward=True)]
    flows += [_Flow(down / 2, 2, 1, 0, one_way=True), _Flow(down / 2, 2, 1, 0, one_way=True, backward=True)]
    flows += [_Flow(torch.full_like(gain, torch.inf), 0, 1, 0, one_way=True)]
    level = _project(doubled, flows, 1 / 18, 2 * _steps(gain) if steps is None else steps)
    masks = _above(level.movedim(1, 0)[:, None], thresholds, gain)
    return masks.sum(0, dtype=torch.uint8)


def tv_prox(
    gain: Float[Tensor, "P H W"], right: Float[Tensor, "P H W1"], down: Float[Tensor, "P H1 W"], steps: int
) -> Float[Tensor, "P H W"]:
    """argmin_u 1/2 |u - gain|^2 + sum_{i~j} w_ij |u_i - u_j|, nearly: `steps` accelerated steps on the dual.

    Reference: Beck and Teboulle, 2009, Fast gradient-based algorithms for constrained total variation image denoising.
    """
    return _project(gain[:, None], [_Flow(right, 3, 0, 0), _Flow(down, 2, 0, 0)], 1 / 8, steps)[:, 0]


Index = tuple[slice, int, slice, slice]


class _Flow:
    """What flows along one family of edges of (P, layers, H, W): between neighbours on an axis, or between layers."""

    def __init__(
        self, high: Tensor, axis: int, tail: int, head: int, one_way: bool = False, backward: bool = False
    ) -> None:
        self.high, self.low = high, torch.zeros_like(high) if one_way else -high
        self.now = self.ahead = torch.zeros_like(high)
        first, second = [slice(None)] * 2, [slice(None)] * 2
        if axis:
            first[axis - 2], second[axis - 2] = slice(None, -1), slice(1, None)
        if backward:
            first, second = second, first
        self.tail: Index = (slice(None), tail, first[0], first[1])
        self.head: Index = (slice(None), head, second[0], second[1])

    def step(self, level: Tensor, rate: float, momentum: float) -> None:
        before = self.now
        self.now = torch.clamp(self.ahead + rate * (level[self.tail] - level[self.head]), self.low, self.high)
        self.ahead = self.now + momentum * (self.now - before)


def _project(gain: Float[Tensor, "P L H W"], flows: list[_Flow], rate: float, steps: int) -> Float[Tensor, "P L H W"]:
    age = 1.0
    for _ in range(steps):
        level = _levels(gain, [(flow, flow.ahead) for flow in flows])
        following = (1 + (1 + 4 * age * age) ** 0.5) / 2
        for flow in flows:
            flow.step(level, rate, (age - 1) / following)
        age = following
    return _levels(gain, [(flow, flow.now) for flow in flows])


def _levels(gain: Tensor, flows: list[tuple[_Flow, Tensor]]) -> Tensor:
    level = gain.clone()
    for flow, amount in flows:
        level[flow.tail] -= amount
        level[flow.head] += amount
    return level


def _above(level: Tensor, thresholds: Tensor, gain: Tensor) -> Tensor:
    lowest, highest = gain.amin((1, 2)), gain.amax((1, 2))
    tie = TIE * (highest - lowest)
    return level > (thresholds + tie)[..., None, None]


def _steps(gain: Tensor) -> int:
    return int(20 * min(max(gain.shape[1:]), 64) ** 1.25)


def _profile_masks(gain: Tensor, right: Tensor, down: Tensor, thresholds: Tensor) -> Bool[Tensor, "K P H W"]:
    """Exact: the best energy of everything behind a frontier of the last m blocks, for each of its 2^m states.

    Of tied masks the smallest is within all others, so "dropped" is preferred at every tie on the way back.
    """
    if gain.shape[1] < gain.shape[2]:  # walk along the longer side
        turned = _profile_masks(gain.mT, down.mT, right.mT, thresholds)
        return turned.mT
    gain, right, down, limits = _integers(gain, right, down, thresholds)
    mixes, (pairs, length, m) = len(thresholds), gain.shape
    cost = torch.full((mixes, pairs, 1 << m), 1 << 61, device=gain.device)
    cost[..., 0] = 0
    choices = []
    for i in range(length):
        for j in range(m):
            along = down[:, i - 1, j] if i else torch.zeros_like(gain[:, 0, 0])
            beside = right[:, i, j - 1] if j else None
            cost, choice = _place_block(cost, limits - gain[:, i, j], along, beside, j)
            choices.append(choice)
    return _walk_back(cost.argmin(-1), choices, m).view(length, m, mixes, pairs).permute(2, 3, 0, 1)


def _place_block(
    cost: Int64[Tensor, "K P S"], price: Int64[Tensor, "K P"], along: Tensor, beside: Tensor | None, j: int
) -> tuple[Int64[Tensor, "K P S"], Bool[Tensor, "K P S"]]:
    """Replace position j of the frontier; also the value that was best there before, per new state."""
    mixes, pairs, states = cost.shape
    split = cost.view(mixes, pairs, states >> (j + 1), 2, 1 << j)
    zero, one = split.unbind(3)
    edge = along[None, :, None, None]
    placed, chosen = [], []
    for z in (0, 1):
        from_zero, from_one = (zero, one + edge) if z == 0 else (zero + edge, one)
        chosen.append(from_one < from_zero)
        best = torch.minimum(from_zero, from_one)
        if beside is not None:  # position j - 1 is the highest bit of the last axis
            halves = best.view(*best.shape[:-1], 2, -1).clone()
            halves[..., 1 - z, :] += beside[None, :, None, None]
            best = halves.flatten(-2)
        placed.append(best + price[..., None, None] if z else best)
    return torch.stack(placed, 3).view_as(cost), torch.stack(chosen, 3).view_as(cost)


def _walk_back(state: Int64[Tensor, "K P"], choices: list[Tensor], m: int) -> Bool[Tensor, "N K P"]:
    kept = []
    for block in reversed(range(len(choices))):
        bit = 1 << (block % m)
        kept.append((state & bit) != 0)
        before = choices[block].gather(-1, state[..., None])[..., 0]
        state = torch.where(before, state | bit, state & ~bit)
    return torch.stack(kept[::-1])


def _integers(gain: Tensor, right: Tensor, down: Tensor, thresholds: Tensor) -> tuple[Tensor, ...]:
    """Energies as integers: ties are ties, and no sum of them overflows."""
    wide = widest(gain.device)
    gain, right, down, thresholds = (a.to(wide) for a in (gain, right, down, thresholds))
    height, width = gain.shape[1:]
    blocks = height * width
    lowest, highest = gain.amin((1, 2)), gain.amax((1, 2))
    limit = blocks * (highest - lowest)
    right, down = (torch.minimum(w, limit[:, None, None]) for w in (right, down))
    size = torch.stack([gain.abs().amax((1, 2)), limit]).amax(0)
    size = torch.where(size > 0, size, 1)
    bits = 59 - (3 * blocks).bit_length()
    unit = torch.ldexp(torch.ones_like(size), bits - torch.frexp(size).exponent)
    gain, right, down = (torch.round(a * unit[:, None, None]).long() for a in (gain, right, down))
    below, above = torch.round(lowest * unit), torch.round(highest * unit)
    limits = torch.minimum(torch.maximum(torch.round(thresholds * unit), below), above).long()
    limits = torch.where(thresholds < lowest, limits - 1, limits)
    return gain, right, down, limits
