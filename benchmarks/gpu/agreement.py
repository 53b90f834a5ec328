"""Every method on a device and on the CPU, from the same seed and by the same plan."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.batches import batch, mixers, seed
from benchmarks.gpu.setting import NO_TIME, Row, Rows, Setting
from benchmarks.gpu.swaps import reference_on_cpu
from multimix import MultiMix, Plan

CPU = torch.device("cpu")
FROM_FLOATS = ("fmix", "puzzlemix", "smoothmix")  # planned on the device: rounded otherwise, a tie may fall otherwise
FEW = 0.001  # share of a plan's numbers that may then differ by more than rounding
ROUNDING = 2.0**-22  # a plan holds integers and shares: two units in the last place of a float32 near 1


def methods(setting: Setting) -> Rows:
    """One row per method, type and memory format."""
    pairs, side, num_mixes = (3, 8, 2) if setting.tiny else (33, 32, 5)
    dtypes = (torch.float32,) if setting.tiny else (torch.float32, torch.bfloat16)
    rows: Rows = []
    for name, mix in mixers(num_mixes).items():
        for dtype in dtypes:
            x, y, saliency = batch(pairs, side, setting.device, dtype)
            for layout in (torch.contiguous_format, torch.channels_last):
                what = {"method": name, "values": f"{dtype}, {layout}".replace("torch.", "")}
                if setting.left():
                    rows.append(what | compared(name, mix, x.contiguous(memory_format=layout), y, saliency))
                else:
                    rows.append(what | dict.fromkeys(("plan", "rows", "labels", "gradient", "holds"), NO_TIME))
    return rows


def compared(name: str, mix: MultiMix, x: Tensor, y: Tensor, saliency: Tensor) -> Row:
    """How plan, rows, labels and gradient differ from the CPU's."""
    plan = mix.plan(x, y, saliency=saliency, generator=seed(1))
    here, here_labels, gradient = _applied(mix, plan, x, y)
    _, _, again = _applied(mix, plan, x, y)
    with reference_on_cpu(x.device):
        drawn = mix.plan(x.cpu(), y.cpu(), saliency=saliency.cpu(), generator=seed(1))
        there, labels, wanted = _applied(mix, moved(plan, CPU), x.cpu(), y.cpu())
        exact, _ = mix.apply(moved(plan, CPU), x.cpu().double())
    differ, beyond, count = numbers_that_differ(moved(plan, CPU), drawn)
    off_by = _roundings(here.cpu(), exact, x)
    same = torch.equal(here.cpu(), there)
    off = float((here_labels.cpu() - labels).abs().max())
    slope = float((gradient.cpu().float() - wanted.float()).abs().max() / wanted.float().abs().max())
    fine = beyond <= FEW * count if name in FROM_FLOATS else differ == 0
    fine &= (off_by <= 1.0 if plan.mask.averages else same) and off <= 2e-7
    fine &= slope <= 8 * torch.finfo(x.dtype).eps and torch.equal(gradient, again)
    return {
        "plan": f"{differ} of {count} numbers differ" + (f", {beyond} by more than rounding" if differ else ""),
        "rows": "same bits" if same else f"within {off_by:.2f} ε of exact",
        "labels": f"{off:.1g} at most",
        "gradient": f"{slope:.1g} at most, {'the same' if torch.equal(gradient, again) else 'ANOTHER'} in a second run",
        "holds": "yes" if fine else "NO",
    }


def _applied(mix: MultiMix, plan: Plan, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    leaf = x.detach().requires_grad_()
    rows, labels = mix.apply(plan, leaf, y)
    assert labels is not None
    weights = torch.linspace(-1, 1, rows.numel(), device="cpu").view(rows.shape).to(rows)
    (gradient,) = torch.autograd.grad(rows, leaf, weights)
    return mix.apply(plan, x, y)[0], labels, gradient  # by the kernel alone, no operator around it


def _roundings(found: Tensor, exact: Tensor, x: Tensor) -> float:
    """The largest difference, in shares of the batch's largest value, in units of the type's epsilon."""
    return float((found.double() - exact).abs().max() / (torch.finfo(x.dtype).eps * x.abs().max().cpu().double()))


def moved(value: Any, device: torch.device) -> Any:
    """A plan, or a part of it, on another device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, tuple):
        return tuple(moved(part, device) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: moved(getattr(value, field.name), device) for field in fields(value)})
    return value


def numbers_that_differ(first: Any, second: Any) -> tuple[int, int, int]:
    """How many numbers of two plans differ, how many by more than rounding, and of how many."""
    pairs = [(a.double(), b.double()) for a, b in zip(_tensors(first), _tensors(second), strict=True)]
    differ = sum(int((a != b).sum()) for a, b in pairs)
    beyond = sum(int(((a != b) & ~((a - b).abs() <= ROUNDING)).sum()) for a, b in pairs)  # nan is beyond
    return differ, beyond, sum(a.numel() for a, _ in pairs)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _tensors(part)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _tensors(getattr(value, field.name))
