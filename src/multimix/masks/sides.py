"""What each of two images shows at every position of a mix, one by one: for losses that take no mixed targets."""

import torch
from torch import Tensor

from multimix.masks.mask import Mask
from multimix.shapes import widest


def sides(mask: Mask, y: Tensor, sample: Tensor | None, partner: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return for every position of every mixed row the share of the sample, and what each of the two shows there.

    Every mask is linear. So the share of the sample is had by mixing ones with zeros, and what one of the two shows (a
    block may come from elsewhere) by mixing it with zeros, divided by its share. At a share of 0 or 1 both are the one
    that is shown.

    Args:
        mask: one with spatial axes.
        y: (B, ..., *spatial), of any real type.
        sample: the row each pair keeps, as for `Mask.blend`.
        partner: the row it mixes with.

    Returns:
        Shares (K * P, *spatial); and what is shown of the sample and of the partner, (K * P, ..., *spatial), of y's
        type.
    """
    assert mask.spatial is not None
    flat = y.reshape(len(y), -1, *mask.spatial)
    rows = torch.arange(len(y), device=y.device) if sample is None else sample

    def mixed(own: Tensor, other: Tensor) -> Tensor:
        """Mix two batches: samples are of the one, partners of the other."""
        return mask.blend(torch.cat([own, other]), rows, partner + len(y)).flatten(0, 1)

    ones = torch.ones((len(y), 1, *mask.spatial), dtype=widest(y.device), device=y.device)
    zeros = torch.zeros_like(ones)
    share = mixed(ones, zeros)
    if not mask.averages:
        both = mixed(flat, flat).reshape(-1, *y.shape[1:])
        return share[:, 0], both, both
    wide = flat.to(ones.dtype)
    nothing = torch.zeros_like(wide)
    rest = mixed(zeros, ones)  # not 1 - share, of which rounding leaves no digit where the sample is nearly all
    own, other = mixed(wide, nothing) / share, mixed(nothing, wide) / rest
    own, other = torch.where(share == 0, other, own), torch.where(rest == 0, own, other)
    found = [side if y.dtype.is_floating_point else side.round() for side in (own, other)]
    own, other = (side.to(y.dtype).reshape(-1, *y.shape[1:]) for side in found)
    return share[:, 0], own, other
