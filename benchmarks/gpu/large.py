"""Outputs of more than 2³¹ numbers, and a device that is not the current one."""

import torch
from torch import Tensor

from benchmarks.gpu.agreement import compared
from benchmarks.gpu.batches import batch, mixers, seed
from benchmarks.gpu.setting import NO_GPU, NO_TIME, Rows, Setting
from multimix import MultiMix, Plan

NEEDED = 24 * 2**30  # bytes
PAIRS, SIDE, K = 64, 1024, 11  # 11 * 64 * 3 * 1024² = 2.2e9


def large_outputs(setting: Setting) -> Rows:
    """The rows of the last pair, and a gradient, beside those of the few pairs they come from."""
    if not setting.cuda:
        return [{"method": "all", "holds": NO_GPU}]
    free = torch.cuda.mem_get_info(setting.device)[0]
    if setting.tiny or free < NEEDED or not setting.left():
        why = NO_TIME if free >= NEEDED else f"not measured: {free / 2**30:.0f} GiB free, {NEEDED / 2**30:.0f} needed"
        return [{"method": "all", "holds": why}]
    rows: Rows = []
    for name in ("mixup", "cutmix"):
        x = torch.rand(PAIRS, 3, SIDE, SIDE, device=setting.device).bfloat16().requires_grad_()
        mix = MultiMix(name, num_mixes=K)
        plan = mix.plan(x.detach(), generator=seed(0))
        mixed, gradient = _with_gradient(mix, plan, x)
        alone, _ = _with_gradient(mix, plan.select(torch.tensor([PAIRS - 1], device=x.device)), x)
        same = torch.equal(mixed.view(K, PAIRS, *x.shape[1:])[:, -1], alone)
        del mixed, alone
        row = PAIRS - 1  # kept by the last pair; the partner of one other
        readers = torch.cat([(plan.partner == row).nonzero()[0], torch.tensor([row], device=x.device)])
        _, wanted = _with_gradient(mix, plan.select(readers), x)
        close = torch.allclose(gradient[row].float(), wanted[row].float(), rtol=2**-7)
        rows.append({"method": name, "rows": same, "gradient": close, "holds": "yes" if same and close else "NO"})
    return rows


def _with_gradient(mix: MultiMix, plan: Plan, x: Tensor) -> tuple[Tensor, Tensor]:
    mixed, _ = mix.apply(plan, x)
    (gradient,) = torch.autograd.grad(mixed, x, torch.ones((), dtype=x.dtype, device=x.device).expand_as(mixed))
    return mixed.detach(), gradient


def second_device(setting: Setting) -> Rows:
    """Batches on another device than the current one."""
    if not setting.cuda or torch.cuda.device_count() < 2:
        return [{"method": "all", "holds": NO_GPU if not setting.cuda else "not measured: one CUDA device"}]
    other = torch.device("cuda", (setting.device.index + 1) % torch.cuda.device_count())
    x, y, saliency = batch(9, 16, other)
    return [{"method": name} | compared(name, mix, x, y, saliency) for name, mix in mixers(3).items()]
