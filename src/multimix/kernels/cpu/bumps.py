"""How wide SmoothMix's bumps are, on the CPU: Newton's method, a pair at a time."""

import math
from typing import no_type_check

import numpy as np
from jaxtyping import Float64

from multimix.kernels.threads import kernel

NARROWEST, WIDEST = 1e-8, 1e4  # widths between which every share lies that float32 tells from 0 and 1
MOST_STEPS = 60  # four are usual; halving the range of logarithms so often leaves nothing of it
NEAR = 1e-6  # so short a step of Newton's method is the last: the error is about its square


@no_type_check
@kernel
def fill_widths(share, centre, width):
    """Fill the widths at which products of bumps have these means: see `widths`.

    The unknown is the logarithm of the width, the function the logit of the mean: it is straight at both ends, with a
    slope of the number of axes where bumps are narrow, and of 2 where they are wide.
    """
    mixes, pairs = share.shape
    axes = centre.shape[0]
    for pair in range(pairs):
        moment = 0.0  # one minus the mean of a wide bump is this over its squared width
        for axis in range(axes):
            moment += (centre[axis, pair] ** 3 + (1.0 - centre[axis, pair]) ** 3) / 6.0
        low = math.log(NARROWEST)
        for k in range(mixes):
            wanted, high = share[k, pair], math.log(WIDEST)
            at = low if wanted <= 0.0 else high
            if 0.0 < wanted < 1.0:
                rest = 1.0 - wanted
                between = rest / math.sqrt(2.0 * math.pi) + wanted * math.sqrt(moment)
                at = math.log(wanted) / axes + math.log(between) - math.log(rest) / 2.0
            at = min(max(at, low), high)
            for _ in range(MOST_STEPS):
                scale = math.sqrt(2.0) * math.exp(at)
                mean, slope = 1.0, 0.0  # and the derivative of its logarithm
                for axis in range(axes):
                    before, after = centre[axis, pair], 1.0 - centre[axis, pair]
                    a, b = before / scale, after / scale
                    factor = (math.erf(a) + math.erf(b)) * scale * (math.sqrt(math.pi) / 2.0)
                    slope += 1.0 - (before * math.exp(-a * a) + after * math.exp(-b * b)) / factor
                    mean *= min(factor, 1.0)
                if mean > wanted:
                    high = at
                else:
                    low = at
                step = 2.0 * math.log(WIDEST)  # out of the range
                if 0.0 < wanted < 1.0 and 0.0 < mean < 1.0 and slope > 0.0:
                    odds = math.log(mean / (1.0 - mean)) - math.log(wanted / (1.0 - wanted))
                    step = odds * (1.0 - mean) / slope
                last = abs(step) < NEAR
                if low <= at - step <= high:
                    at -= step
                else:
                    at = (low + high) / 2.0
                    last = high - low < NEAR * NEAR
                if last:
                    break
            width[k, pair] = math.exp(at)
            low = at  # of the next mix, whose share is no smaller


def widths(share: Float64[np.ndarray, "K P"], centre: Float64[np.ndarray, "d P"]) -> Float64[np.ndarray, "K P"]:
    """Return the widths at which the product of the bumps of all axes has these means; they rise along K as those do.

    Args:
        share: means, non-decreasing along K.
        centre: of the bumps, as shares of each axis.
    """
    width = np.empty(share.shape)
    fill_widths(share, centre, width)
    return width
