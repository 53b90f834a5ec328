"""Whether Triton's kernels can be used on a device. Nothing of Triton is imported before that is asked."""

import os
import warnings
from functools import cache

import torch

LEAST = (3, 3)  # the first with `tl.gather`
MOST_PLACES = 256  # blocks of a mask, or places that blocks move to, up to which a program finds them


def interpreted() -> bool:
    """Whether Triton's interpreter runs kernels, on the CPU: slow, for tests."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "yes", "on", "y")


def usable(device: torch.device) -> bool:
    """Whether Triton's kernels can be used on a device; said once, as a warning, where a GPU has to do without."""
    why = why_not(device)
    if why and device.type == "cuda":
        _warn(why)
    return not why


@cache
def why_not(device: torch.device) -> str:
    """Return what is missing for Triton's kernels on a device: empty where they can be used.

    The first question about a GPU compiles and starts a tiny kernel there.

    Raises:
        RuntimeError: if that would be while a CUDA graph is captured, which it would spoil.
    """
    if device.type == "cpu" and not interpreted():
        return "on the CPU they run in Triton's interpreter only, got no TRITON_INTERPRET=1"
    if device.type not in ("cpu", "cuda"):
        return f"there is no Triton for {device.type}"
    try:
        import triton
    except ImportError:
        return "triton is not installed; pip install 'multimix[gpu]'"
    if tuple(int(part) for part in triton.__version__.split(".")[:2]) < LEAST:
        least = ".".join(map(str, LEAST))
        return f"triton must be {least} or newer, got {triton.__version__}; a newer PyTorch brings it"
    if device.type == "cuda" and torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
        raise RuntimeError(
            "mixing must have run on a GPU before a CUDA graph captures it, got a first call within a capture; call "
            "mix.apply(plan, x, y) once before"
        )
    try:
        from multimix.kernels.triton.probe import run_probe

        run_probe(device)
    except Exception as error:  # no C compiler, no driver that fits, a folder that cannot be written, ...
        return f"a first kernel failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return ""


@cache
def _warn(why: str) -> None:
    message = f"PyTorch's own operations mix on the GPU, more slowly than Triton's kernels would: {why}"
    warnings.warn(message, RuntimeWarning, stacklevel=2)
