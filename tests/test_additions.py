"""A new method and a new kind of mask, brought from outside as CONTRIBUTING says, mix like those that are here."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from multimix import Choice, MultiMix
from multimix.kernels.cpu import table
from multimix.masks.mask import Mask, over_channels, partners, samples
from multimix.methods import METHODS, Method, Step


@dataclass(frozen=True)
class Top:
    """The first lines of an image are the sample's, the others the partner's.

    Attributes:
        lines: how many.
        spatial: the sizes of the images' spatial axes.
    """

    lines: Tensor
    spatial: tuple[int, ...]
    averages: ClassVar[bool] = False

    def weight(self) -> Tensor:
        return self.lines / self.spatial[0]

    def select(self, pairs: Tensor) -> "Top":
        return Top(self.lines[:, pairs], self.spatial)

    def blend(self, x: Tensor, sample: Tensor | None, partner: Tensor, out: Tensor | None = None) -> Tensor:
        line = torch.arange(self.spatial[0], device=x.device).reshape(-1, *[1] * (len(self.spatial) - 1))
        kept = line < self.lines.reshape(*self.lines.shape, *[1] * len(self.spatial))
        return torch.where(over_channels(kept, x), samples(x, sample), partners(x, partner), out=out)


@dataclass(frozen=True)
class Curtain(Method):
    """Lower the sample like a curtain."""

    alpha: float = 1.0

    def mask(self, step: Step) -> Top:
        (tops,) = step.tensors(np.rint(step.lam * step.spatial[0]).astype(np.int64))
        return Top(tops, step.spatial)


def colour_planes() -> tuple[Tensor, Tensor]:
    y = torch.arange(6) % 3
    return torch.nn.functional.one_hot(y, 3).float()[:, :, None, None].expand(-1, -1, 7, 5).contiguous(), y


def test_a_kind_of_mask_keeps_the_contract():
    assert isinstance(Top(torch.ones(1, 1), (4,)), Mask)


@pytest.mark.parametrize("partners", ["same", "fresh"])
@pytest.mark.parametrize("share", ["pair", "batch"])
def test_a_method_from_outside_mixes_by_its_name(share, partners, monkeypatch):
    monkeypatch.setitem(METHODS, "curtain", Curtain)
    x, y = colour_planes()
    mix = MultiMix("curtain", num_mixes=4, num_classes=3, share=share, partners=partners)
    for given in (x, x.to(memory_format=torch.channels_last), x.clone().requires_grad_(), x.byte()):
        x_mix, y_mix = mix(given, y, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(x_mix.detach().float().mean((2, 3)), y_mix)
        assert x_mix.is_contiguous(memory_format=torch.channels_last) == given.is_contiguous(
            memory_format=torch.channels_last
        )
    plan = mix.plan(x, generator=torch.Generator().manual_seed(0))
    whole, parts = mix.apply(plan, x)[0].view(4, 6, *x.shape[1:]), plan.split(2)
    assert torch.equal(torch.cat([mix.apply(p, x)[0].view(4, 3, *x.shape[1:]) for p in parts], 1), whole)
    dense = MultiMix("curtain", num_mixes=4, num_classes=3, dense_targets=True)
    assert torch.equal(dense.apply(plan, x, y[:, None, None].expand(-1, 7, 5))[1], whole.flatten(0, 1))
    assert MultiMix(Choice(["curtain"])).plan(x).num_mixes == 5


def test_a_kernel_is_one_row(monkeypatch):
    calls = []

    def write(mask: Top, job: table.Job) -> None:
        calls.append(job.x.shape)
        job.out.copy_(mask.blend(job.x, job.sample, job.partner).view(job.out.shape))

    monkeypatch.setitem(table.KERNELS, Top, (write, lambda mask, dtype: dtype == torch.float32))
    x, y = colour_planes()
    mix = MultiMix(Curtain(), num_mixes=2, num_classes=3)
    x_mix, y_mix = mix(x, y)
    torch.testing.assert_close(x_mix.mean((2, 3)), y_mix)
    assert calls == [x.shape]
    mix(x.double(), y)
    mix(x.requires_grad_(), y)
    assert len(calls) == 1
