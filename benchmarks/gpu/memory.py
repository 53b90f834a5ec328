"""How much memory does mixing take, how long is a first step, and what is compiled again when K changes."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import torch

from benchmarks.gpu.batches import batch, mixers
from benchmarks.gpu.setting import NO_GPU, NO_TIME, Rows, Setting
from multimix import MultiMix, Plan

K = 5


def measure(setting: Setting) -> Iterator[tuple[str, Rows]]:
    """Tables."""
    pairs, side = (4, 8) if setting.tiny else (64, 224)
    yield (
        f"peak beyond x, {pairs} × 3 × {side}², K = {K}, float32, in sizes of the mixed rows",
        peaks(setting, pairs, side),
    )
    yield "first steps in a new process with empty caches, 128 × 3 × 32²", first_steps(setting)


def peaks(setting: Setting, pairs: int, side: int) -> Rows:
    """Peaks of a plan, of mixing, and of mixing with its gradient; 1 is the K * B rows themselves."""
    rows: Rows = []
    for name, mix in mixers(K).items():
        x, _, saliency = batch(pairs, side, setting.device)
        plan = mix.plan(x, saliency=saliency)
        size = plan.num_mixes * x.nbytes
        works = {
            "plan": lambda mix=mix, x=x, s=saliency: mix.plan(x, saliency=s),
            "apply": lambda mix=mix, plan=plan, x=x: mix.apply(plan, x),
            "apply and backward": lambda mix=mix, plan=plan, x=x: _with_gradient(mix, plan, x),
        }
        peak = {what: f"{_peak(work) / size:.2f}" if setting.cuda else NO_GPU for what, work in works.items()}
        rows.append({"method": name, "rows, MiB": f"{size / 2**20:.1f}", **peak})
    return rows


def _with_gradient(mix: MultiMix, plan: Plan, x: torch.Tensor) -> None:
    leaf = x.detach().requires_grad_()
    rows, _ = mix.apply(plan, leaf)
    torch.autograd.grad(rows, leaf, torch.ones_like(rows))


def _peak(work: Callable[[], object]) -> int:
    work()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    work()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def first_steps(setting: Setting) -> Rows:
    """Milliseconds of steps in a row, and how many kernels each compiled; the last rows are a compiled step's."""
    if not setting.cuda:
        return [{"step": "all", "ms": NO_GPU}]
    if not setting.left():
        return [{"step": "all", "ms": NO_TIME}]
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "TRITON_CACHE_DIR": f"{folder}/triton",
            "TORCHINDUCTOR_CACHE_DIR": f"{folder}/inductor",
        }
        command = [sys.executable, "-m", "benchmarks.gpu.first"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    rows: Rows = json.loads(done.stdout.splitlines()[-1])
    return rows
