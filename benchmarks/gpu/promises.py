"""Promises that only a GPU can show: no wait, few launches, nan for labels that are no class."""

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.batches import CLASSES, batch, mixers, seed
from benchmarks.gpu.graphs import captured
from benchmarks.gpu.setting import NO_GPU, Rows, Setting
from multimix import MultiMix, PuzzleMix, SimilarTargets
from multimix.kernels.triton.launch import counted_launches

K = 5
BUDGETS = {"mixup": 6, "cutmix": 8, "puzzlemix": 30}  # launches of plan and apply with labels
OTHERS = 10
REPLAYS = 3


def no_wait(setting: Setting) -> Rows:
    """Plan, apply and backward of every method, and Puzzle Mix's saliency: CUDA raises where the host waits."""
    if not setting.cuda:
        return [{"method": "all", "holds": NO_GPU}]
    steps = {name: _step(setting, mix, None) for name, mix in mixers(K).items()}
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 30 * 30, CLASSES)).to(
        setting.device
    )
    steps["puzzlemix, saliency from a model"] = _step(setting, MultiMix("puzzlemix", num_classes=CLASSES), model)
    x, _, _ = batch(32, 32, setting.device)
    values = x.mean((1, 2, 3))
    similar = MultiMix("mixup", partners=SimilarTargets(0.1))
    steps["mixup, partners with similar targets"] = lambda: similar.plan(x, values)
    steps["cutmix, a plan in parts"] = lambda: MultiMix("cutmix").plan(x).split(4)
    return [{"method": name, "holds": _without_wait(step)} for name, step in steps.items()]


def _step(setting: Setting, mix: MultiMix, model: nn.Module | None) -> Callable[[], object]:
    x, y, saliency = batch(32, 32, setting.device)
    leaf = x.requires_grad_()

    def step() -> None:
        plan = mix.plan(x.detach(), y, model=model, saliency=None if model else saliency)
        rows, _ = mix.apply(plan, leaf, y)
        torch.autograd.grad(rows, leaf, torch.ones_like(rows))

    return step


def _without_wait(step: Callable[[], object]) -> str:
    for _ in range(8):  # kernels for every grid that may be drawn
        step()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(4):
            step()
    except RuntimeError as error:
        return f"NO: {str(error).splitlines()[0]}"
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return "yes"


def replays(setting: Setting) -> Rows:
    """A captured `apply`, replayed after `plan.copy_` of new plans, beside those plans applied as they are."""
    if not setting.cuda:
        return [{"method": "all", "holds": NO_GPU}]
    rows: Rows = []
    for name, mix in _single_grids(mixers(K)).items():
        x, y, saliency = batch(32, 32, setting.device)
        plan = mix.plan(x, y, saliency=saliency)
        mix.apply(plan, x, y)  # compiles
        applied: list[tuple[Tensor, Tensor | None]] = []
        replay = captured(lambda mix=mix, plan=plan, x=x, y=y, applied=applied: applied.append(mix.apply(plan, x, y)))
        same = True
        for _ in range(REPLAYS):
            new = mix.plan(x, y, saliency=saliency)
            plan.copy_(new)
            replay()
            pairs = zip(applied[-1], mix.apply(new, x, y), strict=True)  # the last was captured: replays fill it
            same &= all(a is not None and b is not None and torch.equal(a, b) for a, b in pairs)
        rows.append({"method": name, "new plans": REPLAYS, "holds": "yes" if same else "NO"})
    return rows


def launches(setting: Setting) -> Rows:
    """What our launcher counts, and what the profiler sees, in one plan and apply with labels.

    A budget counts operations, of which a sort or a Fourier transform may start several kernels.
    """
    if not setting.cuda:
        return [{"method": "all", "holds": NO_GPU}]
    rows: Rows = []
    for name, mix in _single_grids(mixers(K)).items():
        x, y, saliency = batch(32, 32, setting.device)
        counted, seen = _counted(lambda mix=mix, x=x, y=y, s=saliency: mix.apply(mix.plan(x, y, saliency=s), x, y))
        ours = {kernel: seen[kernel] for kernel in counted}
        budget = next((most for start, most in BUDGETS.items() if name.startswith(start)), OTHERS)
        rows.append(
            {
                "method": name,
                "our launcher": counted.total(),
                "of these seen by the profiler": sum(ours.values()),
                "all launches and copies seen": seen.total(),
                "budget": budget,
                "holds": "yes" if ours == dict(counted) else "NO",
            }
        )
    return rows


def _single_grids(methods: dict[str, MultiMix]) -> dict[str, MultiMix]:
    """Puzzle Mix with one grid at a time: a first step of each compiles what the next one needs."""
    puzzles = {
        f"puzzlemix, grid {grid}, {levels} levels": MultiMix(
            PuzzleMix(grid=grid, levels=levels), num_mixes=K, num_classes=CLASSES
        )
        for grid in (2, 16)
        for levels in (2, 3)
    }
    return {name: mix for name, mix in methods.items() if name != "puzzlemix"} | puzzles


def _counted(step: Callable[[], object]) -> tuple[Counter[str], Counter[str]]:
    for _ in range(2):
        step()
    torch.cuda.synchronize()
    with counted_launches() as counted, profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        step()
        torch.cuda.synchronize()
    cuda = torch.autograd.DeviceType.CUDA
    return counted, Counter(event.name for event in profiled.events() if event.device_type == cuda)


def strange_labels(setting: Setting) -> Rows:
    """Rows of labels below 0, or from C on, must be nan, all others must not."""
    if not setting.cuda:
        return [{"label": "all", "holds": NO_GPU}]
    x, y, _ = batch(32, 8, setting.device)
    mix = MultiMix("mixup", num_mixes=K, num_classes=CLASSES)
    plan = mix.plan(x, generator=seed(0))
    rows: Rows = []
    for label in (-1, CLASSES, 2**40):
        y[3] = label
        found = mix.apply(plan, x, y)[1]
        assert found is not None
        wrong = (torch.arange(32, device=y.device) == 3) | (plan.partner == 3)
        same = torch.equal(found.isnan().view(K, 32, CLASSES), wrong[None, :, None].expand(K, 32, CLASSES))
        rows.append({"label": label, "holds": "yes" if same else "NO"})
    return rows
