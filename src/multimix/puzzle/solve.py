"""The masks that minimise an energy, for K thresholds at once."""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from multimix.puzzle.scaling import at_unit_size
from multimix.puzzle.where import CPU, moved_together, solved_here
from multimix.shapes import to_device


def solve_masks(
    gain: Float[Tensor, "P H W"],
    right: Float[Tensor, "P H W1"],
    down: Float[Tensor, "P H1 W"],
    thresholds: Float[Tensor, "K P"],
) -> Bool[Tensor, "K P H W"]:
    """For every pair and threshold the binary mask z with the least energy

        sum_i z_i (threshold - gain_i) + sum_{i~j} w_ij |z_i - z_j|

    over neighbouring blocks i ~ j of a grid; of tied masks the one that keeps fewest blocks, so that masks are nested:
    `mask[k] >= mask[k + 1]`. One solve gives all K, because the threshold shifts every block alike.

    Masks are exact on every device, to the bit the same. On a GPU with Triton, grids of up to 256 blocks are solved
    there, and the host does not wait; otherwise the CPU solves them, with one copy each way.

    Args:
        gain: what is won by keeping a block, any finite numbers.
        right: cost of a border between a block and its right neighbour, (P, H, W - 1), >= 0; may be infinite.
        down: the same for the neighbour below, (P, H - 1, W).
        thresholds: non-decreasing along K; -inf keeps everything, inf nothing.

    Raises:
        ValueError: if shapes, devices or (on the CPU) values do not fit.

    References:
        Chambolle and Darbon, 2009, On total variation minimization and surface evolution using parametric maximum
        flows, prop. 2: the masks are the superlevel sets of one total-variation prox.

    Examples:
        >>> gain = torch.tensor([[[3.0, 1.0, -1.0]]])
        >>> right, down = torch.full((1, 1, 2), 0.5), torch.zeros(1, 0, 3)
        >>> solve_masks(gain, right, down, torch.tensor([[0.0], [2.0]]))[:, 0, 0].int().tolist()
        [[1, 1, 0], [1, 0, 0]]
    """
    check_problem(gain, right, down, thresholds)
    if 0 in (len(gain), len(thresholds)):
        return torch.zeros((len(thresholds), *gain.shape), dtype=torch.bool, device=gain.device)
    if solved_here(gain.device, gain[0].numel()):  # kernels read numbers of ordinary size
        spread = gain.new_zeros(len(gain))
        gain, right, down, thresholds, _ = at_unit_size(
            *(t.detach().double() for t in (gain, right, down, thresholds, spread))
        )
    return solve_levels(gain, right, down, thresholds).view(torch.bool)


def check_problem(gain: Tensor, right: Tensor, down: Tensor, thresholds: Tensor) -> None:
    """Refuse what is no problem on a grid; values are looked at on the CPU only."""
    if gain.ndim != 3 or 0 in gain.shape[1:]:
        raise ValueError(
            f"gain must have shape (P, H, W) with at least one block, got gain: {tuple(gain.shape)}; "
            f"give a series as (P, 1, W)"
        )
    pairs, height, width = gain.shape
    wanted = {
        "right": (right, (pairs, height, width - 1)),
        "down": (down, (pairs, height - 1, width)),
        "thresholds": (thresholds, (thresholds.shape[0] if thresholds.ndim == 2 else 1, pairs)),
    }
    for name, (tensor, shape) in wanted.items():
        if tuple(tensor.shape) != shape:
            raise ValueError(
                f"{name} must have shape {shape} to fit gain: {tuple(gain.shape)}, got {name}: {tuple(tensor.shape)}; "
                f"see solve_masks for the meaning of each axis"
            )
        if tensor.device != gain.device:
            raise ValueError(
                f"{name} must be on the device of gain, got {name}: {tensor.device}, gain: {gain.device}; "
                f"move it with {name}.to(gain.device)"
            )
    if gain.device.type == "cpu" and not torch.compiler.is_compiling():
        _check_values(gain, right, down, thresholds)


def _check_values(gain: Tensor, right: Tensor, down: Tensor, thresholds: Tensor) -> None:
    if not bool(torch.isfinite(gain).all()):
        raise ValueError("gain must be finite, got nan or inf; look at the saliency it was made from")
    for name, weight in {"right": right, "down": down}.items():
        if not bool((weight >= 0).all()):
            lowest = weight.min().item()
            raise ValueError(
                f"{name} must be >= 0, got a lowest value of {lowest}; an energy with less has no exact cut"
            )
    if bool(thresholds.isnan().any()) or not bool((thresholds[1:] >= thresholds[:-1]).all()):
        raise ValueError("thresholds must be numbers that do not fall along K, got others; sort lam in falling order")


def solve_levels(
    gain: Float[Tensor, "P H W"],
    right: Float[Tensor, "P H W1"],
    down: Float[Tensor, "P H1 W"],
    thresholds: Float[Tensor, "K P"],
    spread: Float[Tensor, "P"] | None = None,
) -> UInt8[Tensor, "K P H W"]:
    """`solve_masks` as bytes 0 and 1; with `spread`, three-level masks as bytes 0, 1 and 2 (for 0, 1/2 and 1).

    The three-level mask minimises, over z_i in {0, 1/2, 1},

        sum_i prior(z_i) - gain_i z_i + sum_{i~j} w_ij (z_i - z_j)^2
        prior(0) = 0, prior(1/2) = threshold - spread, prior(1) = 2 threshold

    as a cut in Ishikawa's graph: for spread >= 0 the prior is convex and the masks are exact and nested.
    """
    if solved_here(gain.device, gain.shape[1] * gain.shape[2]):
        from multimix.kernels.triton.cut import cut_pairs  # only where there is Triton

        return cut_pairs(gain, right, down, thresholds, spread)
    from multimix.puzzle.solver_cpu import solve_three_levels, solve_two_levels  # numba takes half a second to import

    terms = [gain, right, down, thresholds] + ([] if spread is None else [spread])
    host = moved_together(terms, CPU)
    kept = solve_two_levels(*host).view(torch.uint8) if spread is None else solve_three_levels(*host)
    return to_device(kept, gain.device)
