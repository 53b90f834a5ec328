"""SmoothMix's bumps: how wide they are, and what each position shows of them, in one launch."""

import math
from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from multimix.kernels.triton.launch import launch

BLOCK = 256  # positions filled together
HALVINGS = 48  # of the range of logarithms of widths, to 1e-13
LOWEST, HIGHEST = tl.constexpr(math.log(1e-8)), tl.constexpr(math.log(1e4))  # as on the CPU
ROOT_2 = tl.constexpr(math.sqrt(2))
HALF_ROOT_PI = tl.constexpr(math.sqrt(math.pi) / 2)


def bumps(share: Tensor, centre: Tensor, spatial: tuple[int, ...]) -> tuple[tuple[Tensor, ...], Tensor]:
    """Return a factor for each axis, (K, P, size) float32, whose products have these means; they rise along K.

    And 1 minus each mean, (K, P) float32: the label weights, rounded once.

    Args:
        share: (K, P), float64, non-decreasing along K.
        centre: (d, P), float64, of each pair's bumps, as shares of each axis.
        spatial: sizes of the axes, one to three.
    """
    mixes, pairs = share.shape
    factors = tuple(torch.empty((mixes, pairs, size), dtype=torch.float32, device=share.device) for size in spatial)
    weight = torch.empty((mixes, pairs), dtype=torch.float32, device=share.device)
    three = (*(*factors, *factors)[: 3 - len(spatial)], *factors)  # the first may be unread
    sizes = (*(1, 1, 1), *spatial)[-3:]
    block = min(BLOCK, max(32, 1 << (max(spatial) - 1).bit_length()))
    shape = {"AXES": len(spatial), "BLOCK": block, "num_warps": max(1, block // 64)}
    most = max(32, 1 << (mixes - 1).bit_length())
    launch(fill_bumps, (pairs,), share, centre, *three, mixes, pairs, *sizes, MIXES=most, STEPS=HALVINGS, **shape)
    launch(weigh_bumps, (mixes * pairs,), *three, weight, *sizes, **shape)
    return factors, weight


@no_type_check
@triton.jit
def below(edge, centre, scale):
    """Twice the integral of the bump's density from its centre to an edge."""
    return tl.erf((edge - centre) / scale)


@no_type_check
@triton.jit
def fill_axis(factor, size, centre, scales, pair, mixes, pairs, MIXES: tl.constexpr, BLOCK: tl.constexpr):
    """Fill what a pair's mixes show along an axis, no mix less than the one before it."""
    lane = tl.arange(0, MIXES)
    for begin in range(0, size, BLOCK):
        at = begin + tl.arange(0, BLOCK)
        highest = tl.zeros([BLOCK], tl.float64)
        for k in range(mixes):
            scale = tl.sum(tl.where(lane == k, scales, 0.0), axis=0)
            area = below((at + 1).to(tl.float64) / size, centre, scale) - below(at.to(tl.float64) / size, centre, scale)
            highest = tl.maximum(highest, tl.minimum(area * (scale * HALF_ROOT_PI * size), 1.0))
            item = k * pairs.to(tl.int64) + pair
            tl.store(factor + item * size + at, highest.to(tl.float32), mask=at < size)


@no_type_check
@triton.jit(do_not_specialize=["mixes", "pairs"])
def fill_bumps(
    share,
    centre,
    factor0,
    factor1,
    factor2,
    mixes,
    pairs,
    depth,
    height,
    width,
    AXES: tl.constexpr,
    MIXES: tl.constexpr,
    STEPS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Find the widths of a pair's bumps by bisection, all of its mixes at once, and fill the factors of the last axes.

    Args:
        share: (K, P).
        centre: (AXES, P).
        factor0: (K, P, depth); factor1 and factor2 those of rows and columns.
    """
    pair = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, MIXES)
    wanted = tl.load(share + lane * pairs.to(tl.int64) + pair, mask=lane < mixes, other=0.5)
    low, high = tl.full([MIXES], LOWEST, tl.float64), tl.full([MIXES], HIGHEST, tl.float64)
    for _ in range(STEPS):
        middle = (low + high) / 2
        scale = tl.exp(middle) * ROOT_2
        mean = tl.full([MIXES], 1.0, tl.float64)
        for axis in tl.static_range(AXES):
            middle_of = tl.load(centre + axis * pairs.to(tl.int64) + pair)
            area = below(1.0, middle_of, scale) - below(0.0, middle_of, scale)
            mean *= tl.minimum(area * scale * HALF_ROOT_PI, 1.0)
        wide = mean > wanted
        low, high = tl.where(wide, low, middle), tl.where(wide, middle, high)
    scales = tl.exp((low + high) / 2) * ROOT_2
    last = centre + (AXES - 1) * pairs.to(tl.int64) + pair
    fill_axis(factor2, width, tl.load(last), scales, pair, mixes, pairs, MIXES, BLOCK)
    if AXES > 1:
        fill_axis(factor1, height, tl.load(last - pairs), scales, pair, mixes, pairs, MIXES, BLOCK)
    if AXES > 2:
        fill_axis(factor0, depth, tl.load(centre + pair), scales, pair, mixes, pairs, MIXES, BLOCK)


@no_type_check
@triton.jit
def mean_of(factor, size, item, BLOCK: tl.constexpr):
    """Return the mean of one mix's factor of an axis."""
    total = tl.zeros([BLOCK], tl.float64)
    for begin in range(0, size, BLOCK):
        at = begin + tl.arange(0, BLOCK)
        total += tl.load(factor + item * size + at, mask=at < size, other=0.0)
    return tl.sum(total, axis=0) / size


@no_type_check
@triton.jit
def weigh_bumps(factor0, factor1, factor2, weight, depth, height, width, AXES: tl.constexpr, BLOCK: tl.constexpr):
    """Find what a mix keeps of the sample: 1 minus the mean of its bump, which is the product of the means."""
    item = tl.program_id(0).to(tl.int64)
    mean = mean_of(factor2, width, item, BLOCK)
    if AXES > 1:
        mean *= mean_of(factor1, height, item, BLOCK)
    if AXES > 2:
        mean *= mean_of(factor0, depth, item, BLOCK)
    tl.store(weight + item, (1.0 - mean).to(tl.float32))
