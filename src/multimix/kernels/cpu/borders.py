"""The borders' part of the energy on the CPU, pair by pair: no table of all pairs and channels is made."""

from typing import no_type_check

from torch import Tensor

from multimix.kernels.threads import kernel, over_pairs, threads_by_pairs


@no_type_check
@kernel
def fold_border(own_before, own_after, other_before, other_after):
    """Sum over the cells along one border of the differences p11, p00, p10 and p01."""
    p11 = p00 = p10 = p01 = own_before.dtype.type(0)
    for channel in range(own_before.shape[0]):
        for m in range(own_before.shape[1]):
            a, b = own_before[channel, m], own_after[channel, m]
            c, d = other_before[channel, m], other_after[channel, m]
            p11 += abs(a - b)
            p00 += abs(c - d)
            p10 += abs(a - d)
            p01 += abs(c - b)
    return p11, p00, p10, p01


@no_type_check
@kernel
def fold_pairs(first, last, cells, sample, partner, scale, gain, right, down):
    """Add what the images say to the gains and weights of the pairs from first to last."""
    height, width = gain.shape[1], gain.shape[2]
    across, along = scale / (cells.shape[1] * cells.shape[3]), scale / (cells.shape[1] * cells.shape[5])
    for p in range(first, last):
        own, other = cells[sample[p]], cells[partner[p]]
        for r in range(height):
            for c in range(width):
                if c + 1 < width:
                    p11, p00, p10, p01 = fold_border(
                        own[:, r, :, c, -1], own[:, r, :, c + 1, 0], other[:, r, :, c, -1], other[:, r, :, c + 1, 0]
                    )
                    right[p, r, c] = max(right[p, r, c] + across * (p10 + p01 - p11 - p00), 0)
                    gain[p, r, c] += across * (p01 + p00 - p10 - p11)
                    gain[p, r, c + 1] += across * (p10 + p00 - p01 - p11)
                if r + 1 < height:
                    p11, p00, p10, p01 = fold_border(
                        own[:, r, -1, c], own[:, r + 1, 0, c], other[:, r, -1, c], other[:, r + 1, 0, c]
                    )
                    down[p, r, c] = max(down[p, r, c] + along * (p10 + p01 - p11 - p00), 0)
                    gain[p, r, c] += along * (p01 + p00 - p10 - p11)
                    gain[p, r + 1, c] += along * (p10 + p00 - p01 - p11)


def fold_compiled(
    cells: Tensor, sample: Tensor, partner: Tensor, scale: Tensor, gain: Tensor, right: Tensor, down: Tensor
) -> None:
    """As `multimix.puzzle.energy.fold`, in place."""
    numbers = [t.contiguous().numpy() for t in (cells, sample, partner)]
    size = gain.numpy().dtype.type(float(scale))
    threads = threads_by_pairs(len(gain))
    over_pairs(fold_pairs, len(gain), threads, *numbers, size, gain.numpy(), right.numpy(), down.numpy())
