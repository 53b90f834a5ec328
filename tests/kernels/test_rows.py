"""The compiled kernels of the newer masks against the plain torch path, on odd shapes, types and layouts."""

from dataclasses import replace

import pytest
import torch

from multimix import FMix, GridMix, MultiMix, ResizeMix, SmoothMix
from multimix.blend import blend
from multimix.kernels.family import find_kernel

pytestmark = pytest.mark.compiled

METHODS = [FMix(decay=1.0), GridMix(grid=3), ResizeMix(0, 1), SmoothMix(alpha=0.3)]
SHAPES = [
    (3, 11),
    (4, 1, 13),
    (5, 3, 7, 9),
    (1, 2, 6, 6),
    (3, 2, 3, 5, 4),
    (2, 3, 1, 1),
    (2, 3, 70, 90),
    (2, 1, 2, 4099),
]
DTYPES = [
    torch.uint8,
    torch.bool,
    torch.int16,
    torch.bfloat16,
    torch.float16,
    torch.float32,
    torch.int64,
    torch.float64,
]


def numbers(shape, dtype):
    return torch.randint(0, 256, shape).to(dtype) if dtype != torch.bool else torch.rand(shape) > 0.5


def check(x, plan, layout=torch.contiguous_format):
    assert find_kernel(x, plan) is not None
    expected = plan.mask.blend(x, plan.sample, plan.partner).flatten(0, 1)
    found = blend(x, plan)
    out = torch.empty(expected.shape, dtype=x.dtype).to(memory_format=layout).fill_(1)
    blend(x, plan, out)
    assert found.is_contiguous(memory_format=layout)
    if type(plan.mask).__name__ == "Bump":
        torch.testing.assert_close(found, expected)
    else:
        assert torch.equal(found, expected)
    assert torch.equal(out, found)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("partners", ["same", "fresh"])
def test_shapes(method, shape, partners):
    x = torch.randn(shape)
    mix = MultiMix(method, num_mixes=3, partners=partners)
    for seed in range(4):
        plan = mix.plan(x, generator=torch.Generator().manual_seed(seed))
        check(x, plan)
        for part in plan.split(min(2, len(x))):
            check(x, part)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_types(method, dtype):
    if method.blends and dtype not in (torch.float32, torch.float64):
        return
    x = numbers((5, 3, 8, 9), dtype)
    check(x, MultiMix(method, num_mixes=4).plan(x))


@pytest.mark.parametrize("layout", [torch.channels_last, torch.channels_last_3d], ids=str)
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_channels_last(method, layout):
    shape = (4, 3, 9, 14) if layout is torch.channels_last else (4, 3, 5, 6, 7)
    x = torch.randn(shape).to(memory_format=layout)
    plan = MultiMix(method, num_mixes=3).plan(x)
    check(x, plan, layout)
    for part in plan.split(3):
        check(x, part, layout)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_a_batch_that_several_threads_share(method, monkeypatch):
    monkeypatch.setattr("multimix.kernels.threads.THREAD_BYTES", 1000)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    x = torch.randn(7, 3, 10, 12)
    check(x, MultiMix(method, num_mixes=3).plan(x))


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_gradients_off_need_no_detached_input(method):
    x = torch.randn(4, 3, 6, 6, requires_grad=True)
    mix = MultiMix(method, num_mixes=2)
    plan = mix.plan(x)
    with torch.no_grad():
        assert torch.equal(mix.apply(plan, x)[0], mix.apply(plan, x.detach())[0])


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("row", [-1, 4])
def test_rows_that_are_not_there_are_refused(method, row):
    x = torch.randn(4, 3, 6, 6)
    plan = MultiMix(method, num_mixes=2).plan(x)
    for wrong in (
        replace(plan, partner=torch.full((4,), row)),
        replace(plan, partner=torch.full((2, 4), row)),
        replace(plan, sample=torch.full((4,), row)),
    ):
        with pytest.raises(IndexError, match="every sample and every partner must be a row"):
            blend(x, wrong)


@pytest.mark.parametrize("kind", ["high", "low"])
def test_more_mixes_than_a_byte_counts(kind):
    x = torch.randn(3, 1, 20, 20) if kind == "high" else torch.randint(0, 9, (3, 1, 20, 20), dtype=torch.uint8)
    check(x, MultiMix("fmix", num_mixes=300).plan(x))
