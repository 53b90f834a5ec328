"""Kernel launches of a plan and its apply with labels where PyTorch mixes, on tensors without values: no GPU is needed.

    python -m benchmarks.launches

Operations that start a kernel are counted, an operation once, though a Fourier transform or a sort starts several. With
Triton's kernels there are fewer: `tests/kernels/on_triton.py` counts those.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.timing import table
from multimix import MultiMix

PAIRS, PIXELS, NUM_MIXES = 128, 32, 5
METHODS = ("mixup", "cutmix", "fmix", "smoothmix", "resizemix", "gridmix", "saliencymix", "topmix")
WITH_SALIENCY = ("saliencymix", "topmix")  # given, as finding it is counted apart
FREE = ("empty", "new_empty", "view", "unsafe_view", "slice", "select.int", "expand", "unsqueeze", "squeeze", "detach")
FREE += (
    "alias",
    "as_strided",
    "transpose",
    "permute",
    "reshape",
    "t.default",
    "split",
    "unbind",
    "lift_fresh",
    "scalar_tensor",
)


class Launches(TorchDispatchMode):
    """Counts operations on tensors without values; views and allocations start no kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the operation, and count it if it made or filled such a tensor."""
        made = function(*args, **(kwargs or {}))
        name = str(function).split(".", 1)[1]
        tensors = [each for each in (made if isinstance(made, tuple | list) else [made]) if isinstance(each, Tensor)]
        if any(each.device.type == "meta" for each in tensors) and not name.lstrip("_").startswith(FREE):
            self.counts[name] += 1
        return made


def count(method: str) -> int:
    """Return the launches of one plan and apply, after a first one that may bring constants to the device."""
    mix = MultiMix(method, num_mixes=NUM_MIXES, num_classes=10)
    x = torch.empty(PAIRS, 3, PIXELS, PIXELS, device="meta")
    y = torch.empty(PAIRS, dtype=torch.long, device="meta")
    given = {"saliency": torch.empty(PAIRS, PIXELS, PIXELS, device="meta")} if method in WITH_SALIENCY else {}
    mix.apply(mix.plan(x, **given), x, y)
    with Launches() as launches:
        mix.apply(mix.plan(x, **given), x, y)
    return launches.counts.total()


def main() -> None:
    """Print the table."""
    torch.manual_seed(0)  # SmoothMix starts two more where a weight was drawn to an end
    print(table([{"method": method, "launches": count(method)} for method in METHODS]))


if __name__ == "__main__":
    main()
