"""For how long does a plan keep the host, method by method.

On a GPU these are calls of `mix.plan`; what they start there is not waited for. Without one, the batch has no values
(device "meta") and starting a kernel does nothing, so that what is left is the host's own work: draws, checks, and
PyTorch's operations, some of which are written in Python for such batches and take longer than on a GPU. Starting a
kernel of Triton comes on top.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec

import torch

from benchmarks.gpu import host
from benchmarks.gpu.batches import batch, mixers, seed
from benchmarks.gpu.setting import Rows, Setting
from benchmarks.gpu.swaps import swapped
from benchmarks.gpu.timing import host_seconds

K = 5
MOST_US = 500
ON_DEVICE = ("puzzlemix", "fmix", "saliencymix", "smoothmix")  # kernels find their masks
NO_TRITON = "not measured: Triton is not installed"


def measure(setting: Setting) -> Iterator[tuple[str, Rows]]:
    """Tables."""
    pairs, side = (4, 16) if setting.tiny else (128, 32)
    rows = host_times(setting, pairs, side)
    yield f"host time of a plan, {pairs} × 3 × {side}², K = {K}" + ("" if setting.cuda else ", without a device"), rows
    yield (
        f"where a mixed step's host time goes: mixup, {pairs} × 3 × {side}², K = {K}",
        host.parts(setting, pairs, side),
    )
    aims = [{"what": f"{row['method']}: host time of a plan", "aim": f"≤ {MOST_US} µs"} for row in rows]
    yield "aims", [aim | {"measured": row["µs"]} for aim, row in zip(aims, rows, strict=True)]


def host_times(setting: Setting, pairs: int, side: int) -> Rows:
    """One row per method."""
    rows: Rows = []
    device = setting.device if setting.cuda else torch.device("meta")
    x, _, saliency = batch(pairs, side, device)
    for name, mix in mixers(K).items():
        if name in ON_DEVICE and not setting.cuda and find_spec("triton") is None:
            rows.append({"method": name, "µs": NO_TRITON})
            continue
        plan: Callable[[], object] = lambda mix=mix: mix.plan(x, saliency=saliency, generator=seed(0))  # noqa: E731
        with ExitStack() as stack:
            if not setting.cuda:
                stack.enter_context(no_device())
            for _ in range(3):
                plan()
            seconds = host_seconds(setting, plan, 1 if setting.tiny else 101)
        rows.append({"method": name, "µs": f"{1e6 * seconds:.0f}"})
    return rows


@contextmanager
def no_device() -> Iterator[None]:
    """The path of a GPU with Triton, if it is installed, for tensors without values."""
    if find_spec("triton") is None:
        yield
        return
    from multimix.kernels.triton import auction, borders, bumps, cut, levels, peaks, pooling  # noqa: F401  # whose launch it is

    with swapped("family_of", lambda device: "triton"), swapped("launch", lambda *_, **__: None):
        yield
