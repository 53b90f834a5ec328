"""What a mask costs: saliency that is lost, borders, and the prior; folded so that one cut minimises it.

For z_i in {0, 1} (1 keeps the sample's block), block saliencies s1 (sample) and s2 (partner), each of sum 1:

    E(z) = sum_i (1 - z_i) s1_i + z_i s2_i  +  sum_{i~j} b (z_i - z_j)^2 + b gamma Psi_ij
           + eta/N sum_i -log Binom(m z_i; m, lam)
    Psi_ij = p11 z_i z_j + p01 (1 - z_i) z_j + p10 z_i (1 - z_j) + p00 (1 - z_i) (1 - z_j)

with p_ab the mean difference of the cells on both sides of the border of i and j, the first from image a, the second
from image b (1: sample, 0: partner). From z_i z_j = (z_i + z_j - (z_i - z_j)^2) / 2 every term is linear in z but for
(z_i - z_j)^2, whose weight is `b + b gamma (p10 + p01 - p11 - p00) / 2`: not negative for gamma <= 1 if no two cells
differ by more than 1. For values between 0 and 1 the folded form is the definition, as in the authors' code.

Reference: Kim et al., 2020, Puzzle Mix, arXiv 2009.06962, eq. (3)-(6).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from multimix.grid import Axis, as_images, cell_areas
from multimix.kernels.family import family_of
from multimix.puzzle.cells import cell_means


@dataclass(frozen=True)
class Energy:
    """The folded energy of each pair: `solve_masks` takes these three.

    Attributes:
        gain: what is won by keeping a block.
        right: weight of each border with the right neighbour.
        down: weight of each border with the neighbour below.
    """

    gain: Float[Tensor, "P h w"]
    right: Float[Tensor, "P h w1"]
    down: Float[Tensor, "P h1 w"]


def block_saliency(saliency: Float[Tensor, "B *spatial"], rows: Axis, columns: Axis) -> Float[Tensor, "B h w"]:
    """The share of an image's saliency in each cell; uniform where an image has none, or one that is not finite."""
    if family_of(saliency.device) == "triton":
        from multimix.kernels.triton.pooling import saliency_shares  # only where there is Triton

        return saliency_shares(as_images(saliency.detach()[:, None]).resolve_neg(), rows, columns)
    saliency = saliency.detach()
    wide = saliency.float() if saliency.dtype.itemsize < 4 else saliency
    means = cell_means(as_images(wide[:, None]), rows, columns)[:, 0]
    if rows.even and columns.even:
        total = means.sum((1, 2), keepdim=True)
        return torch.where(_positive(total), means / total, 1 / (rows.total * columns.total))
    areas = cell_areas(rows, columns).to(means)
    mass = means * areas
    total = mass.sum((1, 2), keepdim=True)
    return torch.where(_positive(total), mass / total, areas)


def pair_energy(
    x: Tensor,
    saliency: Float[Tensor, "B h w"],
    sample: Int64[Tensor, "P"] | None,
    partner: Int64[Tensor, "P"],
    rows: Axis,
    columns: Axis,
    beta: float,
    gamma: float,
    neighbourhood: int,
) -> Energy:
    """Return the energy of every pair, for all lam.

    Args:
        x: the batch, at any scale: inside this term it is brought to unit range, all of it by one factor. Cells with a
            pixel that is not finite count as the lowest pixel.
        saliency: from `block_saliency`.
        sample: which row each pair keeps; None: pair i keeps row i.
        partner: which row it mixes with.
        rows: the grid's rows.
        columns: the grid's columns.
        beta: smoothness of the mask.
        gamma: how much the contents of the images say about it, 0 to 1.
        neighbourhood: positions on either side of a border that are compared, and averaged along it.
    """
    if family_of(saliency.device) == "triton":
        return _folded_at_once(x, saliency, sample, partner, rows, columns, beta, gamma, neighbourhood)
    if sample is None:
        sample = torch.arange(len(partner), device=partner.device)
    gain = saliency[sample] - saliency[partner]
    strength = _strength(rows, columns, beta)
    right = gain.new_full((len(gain), rows.blocks, columns.blocks - 1), strength)
    down = gain.new_full((len(gain), rows.blocks - 1, columns.blocks), strength)
    if gamma > 0:
        r, c = rows.divided(neighbourhood), columns.divided(neighbourhood)
        cells, factor = _unit_range(x.detach(), cell_means(as_images(x.detach()), r, c).to(gain.dtype))
        cells = cells.view(*cells.shape[:2], r.blocks, r.cells, c.blocks, c.cells)
        scale = strength * gamma / 2 * factor
        if gain.device.type == "cpu":
            from multimix.kernels.cpu.borders import fold_compiled  # numba takes half a second to import

            fold_compiled(cells, sample, partner, scale, gain, right, down)
        else:
            fold(cells, sample, partner, scale, gain, right, down)
    return Energy(gain, right, down)


def _strength(rows: Axis, columns: Axis, beta: float) -> float:
    """beta / (16 n) on n x n blocks; on a series a border weighs as much against a block's mean saliency."""
    return beta * columns.blocks / (16 * rows.blocks * columns.blocks)


def _folded_at_once(
    x: Tensor,
    saliency: Float[Tensor, "B h w"],
    sample: Int64[Tensor, "P"] | None,
    partner: Int64[Tensor, "P"],
    rows: Axis,
    columns: Axis,
    beta: float,
    gamma: float,
    neighbourhood: int,
) -> Energy:
    """`pair_energy` in two kernels; the sums are rounded in another order."""
    from multimix.kernels.triton.borders import fold_energy  # only where there is Triton
    from multimix.kernels.triton.pooling import cell_means_and_ranges

    contents = None
    if gamma > 0:
        images, r, c = as_images(x.detach()).resolve_neg(), rows.divided(neighbourhood), columns.divided(neighbourhood)
        contents = cell_means_and_ranges(images, r, c, saliency.dtype)
    strength = _strength(rows, columns, beta)
    return Energy(*fold_energy(saliency, contents, sample, partner, strength, strength * gamma / 2))


def fold(
    cells: Float[Tensor, "B C h mh w mw"],
    sample: Int64[Tensor, "P"],
    partner: Int64[Tensor, "P"],
    scale: Float[Tensor, ""],
    gain: Float[Tensor, "P h w"],
    right: Float[Tensor, "P h w1"],
    down: Float[Tensor, "P h1 w"],
) -> None:
    """Add what the images say, `scale` times twice the mean differences, to gains and weights, in place."""
    for axis, weight in ((3, right), (2, down)):
        if weight.numel() == 0:
            continue
        before, after = _border_cells(cells, axis)
        alike = (before - after).abs().mean((1, -1))
        p11, p00 = alike[sample], alike[partner]
        p10 = (before[sample] - after[partner]).abs().mean((1, -1))
        p01 = (before[partner] - after[sample]).abs().mean((1, -1))
        weight += scale * (p10 + p01 - p11 - p00)
        weight.clamp_(min=0)  # gamma = 1 leaves exact zeros, up to rounding
        length = gain.shape[axis - 1]
        gain.narrow(axis - 1, 0, length - 1).add_(scale * (p01 + p00 - p10 - p11))
        gain.narrow(axis - 1, 1, length - 1).add_(scale * (p10 + p00 - p01 - p11))


def _unit_range(x: Tensor, cells: Float[Tensor, "B C h w"]) -> tuple[Float[Tensor, "B C h w"], Float[Tensor, ""]]:
    """The cells, all finite, and the factor that brings the batch to unit range; 0 where its cells do not differ."""
    wide = torch.float32 if x.dtype.itemsize < 4 else x.dtype
    lowest, highest = (limit.to(wide) for limit in torch.aminmax(x))
    factor = 1 / (highest - lowest)
    if x.device.type == "cpu" and bool(_positive(factor) & cells.sum().isfinite()):
        return cells, factor
    finite = x.isfinite()
    lowest, highest = torch.where(finite, x, torch.inf).amin(), torch.where(finite, x, -torch.inf).amax()
    factor = 1 / (highest.to(wide) - lowest.to(wide))
    usable = _positive(factor)  # else the batch is constant, its range overflows, or no pixel is finite
    lowest = torch.where(usable, lowest, 0).to(cells.dtype)
    return torch.where(cells.isfinite() & usable, cells, lowest), torch.where(usable, factor, 0)


def _positive(number: Tensor) -> Bool[Tensor, "..."]:
    return (number > 0) & (number < torch.inf)


def _border_cells(
    cells: Float[Tensor, "B C h mh w mw"], axis: int
) -> tuple[Float[Tensor, "B C down across m"], Float[Tensor, "B C down across m"]]:
    """Return the cells before and after every border across an axis (2: rows, 3: columns), m cells along each."""
    if axis == 2:
        return cells[:, :, :-1, -1], cells[:, :, 1:, 0]
    across = cells.transpose(3, 4)
    return across[..., :-1, :, -1], across[..., 1:, :, 0]


def thresholds(lam: Float64[Tensor, "K P"], eta: float, blocks: int) -> Float64[Tensor, "K P"]:
    """Where the prior of lam cuts the total-variation prox of the gains; rises as lam falls.

    The authors' code adds 1e-8 to probabilities inside the logarithm; here lam is kept as far from 0 and 1.
    """
    lam = lam.clamp(1e-8, 1 - 1e-8)
    return eta / blocks * torch.log((1 - lam) / lam)
