"""How integer labels become soft ones on a CPU: in one pass over the result, without a one-hot tensor."""

from typing import Any

from torch import Tensor

from multimix.kernels.threads import kernel


def soften(own: Tensor, other: Tensor, weight: Tensor, out: Tensor) -> None:
    """Write `out[k, i] = w onehot(own[i]) + (1 - w) onehot(other[k, i])`, with w = `weight[k, i]`.

    Args:
        own: (P,), integer classes, from 0 to C - 1.
        other: (K, P), the partners' classes; may be expanded.
        weight: (K, P), of out's dtype.
        out: (K, P, C), float32 or float64.
    """
    _soften(own.numpy(), other.numpy(), weight.numpy(), out.numpy())


@kernel
def _soften(own: Any, other: Any, weight: Any, out: Any) -> None:
    out[:] = 0
    for k in range(weight.shape[0]):
        for i in range(weight.shape[1]):
            out[k, i, own[i]] += weight[k, i]
            out[k, i, other[k, i]] += 1 - weight[k, i]
