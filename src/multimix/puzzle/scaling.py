"""Problems at a size at which nothing overflows and nothing is lost, whatever the size they come in."""

import torch
from jaxtyping import Float
from torch import Tensor


def at_unit_size(
    gain: Float[Tensor, "P H W"],
    right: Float[Tensor, "P H W1"],
    down: Float[Tensor, "P H1 W"],
    thresholds: Float[Tensor, "K P"],
    spread: Float[Tensor, "P"],
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The same problems, divided by a power of two per pair, so that their largest gain or spread lies in [1, 2).

    Division by a power of two rounds nothing. Weights and thresholds that are larger by far become infinite, which
    means the same: nothing flows that is more than all gains together, and everything is kept or nothing.
    """
    size = torch.maximum(gain.abs().amax((1, 2)), spread.to(gain.dtype))
    unit = torch.where(size > 0, size / (2 * torch.frexp(size).mantissa), 1)
    per_block = unit[:, None, None]
    return gain / per_block, right / per_block, down / per_block, thresholds / unit, spread / unit
