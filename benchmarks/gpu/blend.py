"""How fast are batches mixed: beside a copy at 224 pixels, and beside timm and torchvision at 32."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.gpu.batches import CLASSES, batch
from benchmarks.gpu.graphs import captured
from benchmarks.gpu.setting import NO_GPU, Rows, Setting
from benchmarks.gpu.timing import host_seconds, interleave
from benchmarks.peers import peers
from multimix import MultiMix

K = 5
METHODS = ("mixup", "cutmix")
AIM = 0.8  # of the card's copy bandwidth
HOST_CALLS = 20


def measure(setting: Setting) -> Iterator[tuple[str, Rows]]:
    """Tables."""
    pairs, side = (4, 8) if setting.tiny else (64, 224)
    shares = bandwidth(setting, pairs, side)
    yield f"K = {K}, {pairs} × 3 × {side}², into a buffer, beside a copy", shares
    yield (
        "aims",
        [
            {
                "what": f"{row['method']}, {row['values']}, {side} px: share of copy bandwidth",
                "aim": f"≥ {AIM:.0%}",
                "measured": row["share of the copy's"] if setting.cuda else NO_GPU,
            }
            for row in shares
        ],
    )
    pairs, side = (4, 8) if setting.tiny else (128, 32)
    for method in METHODS:
        yield f"K = {K}, {method}, {pairs} × 3 × {side}², with labels", small(setting, method, pairs, side)


def bandwidth(setting: Setting, pairs: int, side: int) -> Rows:
    """GB/s of mixing: of each pair two images are read, and K rows are written. A copy reads and writes K rows.

    Both are replays of CUDA graphs: in half precision a call may keep the host for longer than the device.
    """
    rows: Rows = []
    for dtype in (torch.float32, torch.bfloat16):
        x, _, _ = batch(pairs, side, setting.device, dtype)
        out, source = (torch.empty((K * pairs, *x.shape[1:]), dtype=dtype, device=x.device) for _ in range(2))
        mixes = {name: MultiMix(name, num_mixes=K) for name in METHODS}
        plans = {name: mix.plan(x) for name, mix in mixes.items()}
        calls: dict[str, Callable[[], object]] = {"copy": lambda out=out, source=source: out.copy_(source)}
        for name, mix in mixes.items():
            calls[name] = lambda mix=mix, plan=plans[name], x=x, out=out: mix.apply(plan, x, out=out)
        contenders = {name: captured(call) for name, call in calls.items()} if setting.cuda else calls
        seconds = interleave(setting, contenders, setting.seconds(8))
        host = {name: host_seconds(setting, call, HOST_CALLS) for name, call in calls.items()}
        copied = 2 * out.nbytes / seconds["copy"]
        for name in METHODS:
            mixed = (2 * x.nbytes + out.nbytes) / seconds[name]
            rows.append(
                {
                    "method": name,
                    "values": str(dtype).removeprefix("torch."),
                    "µs": f"{1e6 * seconds[name]:.1f}",
                    "host, µs": f"{1e6 * host[name]:.1f}",
                    "copy of the rows, µs": f"{1e6 * seconds['copy']:.1f}",
                    "GB/s": f"{mixed / 1e9:.0f}",
                    "copy, GB/s": f"{copied / 1e9:.0f}",
                    "share of the copy's": f"{mixed / copied:.0%}",
                    "share, if each image is read once": f"{(x.nbytes + out.nbytes) / seconds[name] / copied:.0%}",
                }
            )
    return rows


def small(setting: Setting, method: str, pairs: int, side: int) -> Rows:
    """Microseconds of K mixes: the replay of a CUDA graph, whole calls, and five calls of each peer."""
    x, y, _ = batch(pairs, side, setting.device)
    mix = MultiMix(method, num_mixes=K, num_classes=CLASSES)
    plan = mix.plan(x)
    contenders: dict[str, Callable[[], object]] = {
        "multimix, apply(plan, x, y)": lambda: mix.apply(plan, x, y),
        "multimix, mix(x, y)": lambda: mix(x, y),
    }
    if setting.cuda:
        contenders["multimix, a CUDA graph of apply(plan, x, y)"] = captured(contenders["multimix, apply(plan, x, y)"])
    crashed = {}
    for name, peer in peers(method, CLASSES).items():
        call = _five(name, peer, x, y)
        try:
            call()
            contenders[f"{K} × {name}"] = call
        except Exception as error:  # a peer's own affair
            crashed[f"{K} × {name}"] = f"{type(error).__name__}: {error}"
    seconds = interleave(setting, contenders, setting.seconds(3))
    rows: Rows = [{"what": name, "µs": f"{1e6 * s:.1f}"} for name, s in seconds.items()]
    rows += [] if setting.cuda else [{"what": "multimix, a CUDA graph of apply(plan, x, y)", "µs": NO_GPU}]
    return rows + [{"what": name, "µs": error.splitlines()[0][:80]} for name, error in crashed.items()]


def _five(name: str, peer: Callable[[Tensor, Tensor], object], x: Tensor, y: Tensor) -> Callable[[], object]:
    """K calls of a peer; timm gets a copy each time, because it overwrites its input."""
    if name.startswith("timm"):
        return lambda: [peer(x.clone(), y) for _ in range(K)]
    return lambda: [peer(x, y) for _ in range(K)]
