"""Whether the numbers of a tensor can be read, here and now."""

import torch
from torch import Tensor
from torch.autograd import forward_ad


def is_readable(x: Tensor) -> bool:
    """Whether looking at x costs and breaks nothing: it lies on the CPU, and nobody traces or transforms it."""
    return x.device.type == "cpu" and not (torch.compiler.is_compiling() or in_transform())


def in_transform() -> bool:
    """Whether a transform of torch.func (vmap, jvp, grad, ...) runs this code: its tensors have no memory to read.

    Code that torch.compile traces is in none.
    """
    return not torch.compiler.is_compiling() and torch._C._functorch.peek_interpreter_stack() is not None


def is_lazy_view(x: Tensor) -> bool:
    """Whether x stands for the conjugates or negatives of what its memory holds. Compiled code need not know."""
    return not torch.compiler.is_compiling() and (x.is_conj() or x.is_neg())


def has_tangent(x: Tensor) -> bool:
    """Whether forward-mode differentiation follows x."""
    return forward_ad.unpack_dual(x).tangent is not None  # type: ignore[no-untyped-call]
