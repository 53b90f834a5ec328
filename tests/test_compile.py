"""`apply` is one graph for torch.compile, and plans that change do not change the graph."""

import pytest
import torch

from multimix import CutMix, MixUp, MultiMix

# The compiler itself warns, differently from release to release.
pytestmark = [pytest.mark.unchecked, pytest.mark.filterwarnings("default")]


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch.compiler.reset()
    with torch._dynamo.config.patch(error_on_recompile=True):
        yield
    torch.compiler.reset()


@pytest.mark.parametrize("with_out", [False, True])
@pytest.mark.parametrize("method", [MixUp(), CutMix()], ids=str)
def test_one_graph_for_a_hundred_steps(method, with_out):
    mix = MultiMix(method, num_mixes=3, num_classes=10)
    compiled = torch.compile(mix.apply, fullgraph=True, backend="aot_eager")
    out = torch.empty(24, 3, 10, 12) if with_out else None
    for step in range(100):
        x, y = torch.rand(8, 3, 10, 12), torch.randint(10, (8,))
        plan = mix.plan(x, generator=torch.Generator().manual_seed(step))
        x_mix, y_mix = compiled(plan, x, y, out=out)
        expected = mix.apply(plan, x, y)
        torch.testing.assert_close((x_mix, y_mix), expected)
        assert out is None or x_mix.data_ptr() == out.data_ptr()


@pytest.mark.parametrize("method", [MixUp(), CutMix()], ids=str)
def test_the_default_backend_agrees(method):
    mix = MultiMix(method, num_mixes=3, num_classes=10)
    compiled = torch.compile(mix.apply, fullgraph=True)
    for step in range(3):
        x, y = torch.rand(8, 3, 10, 12), torch.randint(10, (8,))
        plan = mix.plan(x, generator=torch.Generator().manual_seed(step))
        torch.testing.assert_close(compiled(plan, x, y), mix.apply(plan, x, y))


@pytest.mark.parametrize("with_out", [False, True])
@pytest.mark.parametrize("method", [MixUp(), CutMix()], ids=str)
def test_apply_reads_no_value(method, with_out):
    # Tensors on the meta device have no values: whatever would make an accelerator wait for one fails here.
    mix = MultiMix(method, num_mixes=3, num_classes=10)
    x, y = torch.empty(8, 3, 10, 12, device="meta"), torch.empty(8, dtype=torch.long, device="meta")
    out = torch.empty(24, 3, 10, 12, device="meta") if with_out else None
    x_mix, y_mix = mix(x, y, out=out)
    assert x_mix.shape == (24, 3, 10, 12)
    assert y_mix.shape == (24, 10)
    assert {x_mix.device.type, y_mix.device.type} == {"meta"}
