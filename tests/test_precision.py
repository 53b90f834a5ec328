"""Devices without float64 get the same masks' weights and partners, from narrower types."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from multimix import MultiMix, SimilarTargets, pairing
from multimix.shapes import widest


class NoFloat64(TorchDispatchMode):
    """What Apple's GPUs do: refuse every tensor of float64. Draws that numpy made are still the CPU's (lift_fresh)."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        read = () if function is torch.ops.aten._to_copy.default else args  # on its way from the CPU it may be narrowed
        for tensor in tree_leaves((read, made)):
            wide = isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64
            if wide and function is not torch.ops.aten.lift_fresh.default:
                raise TypeError(f"{function} takes or makes float64")
        return made


def test_only_apples_gpus_have_no_float64():
    assert widest(torch.device("mps")) == torch.float32
    assert widest(torch.device("cpu")) == widest(torch.device("cuda")) == torch.float64


@pytest.mark.parametrize(
    "method", ["cutmix", "resizemix", "fmix", "gridmix", "smoothmix", "saliencymix", "puzzlemix", "topmix"]
)
def test_weights_need_no_float64(method, monkeypatch):
    x = torch.rand(7, 3, 13, 17)
    options = {"saliency": torch.rand(7, 13, 17)} if method in ("puzzlemix", "topmix") else {}
    mask = MultiMix(method, num_mixes=3).plan(x, **options).mask
    wide = mask.weight()
    with pytest.raises(TypeError, match="makes float64"), NoFloat64():
        mask.weight()
    for kind in ("blocks", "boxes", "bump", "ordered"):
        monkeypatch.setattr(f"multimix.masks.{kind}.widest", lambda device: torch.float32)
    with NoFloat64():
        narrow = mask.weight()
    if method == "smoothmix":  # means of fractions; all others are quotients of integers, rounded once
        torch.testing.assert_close(narrow, wide, rtol=1e-5, atol=1e-6)
    else:
        assert torch.equal(narrow, wide)


def test_similar_targets_need_no_float64(monkeypatch):
    y, similar = torch.randn(64), SimilarTargets(bandwidth=0.2)
    wide = similar.draw(y, np.random.default_rng(0))
    monkeypatch.setattr(pairing, "widest", lambda device: torch.float32)
    with NoFloat64():
        narrow = similar.draw(y, np.random.default_rng(0))
    assert torch.equal(narrow, wide)  # no draw of this stream falls between the two roundings
