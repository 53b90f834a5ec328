"""`apply` is one graph for torch.compile, and plans that change do not change the graph."""

import pytest
import torch
import torch.nn.functional as F

from multimix import CutMix, FMix, GridMix, MixUp, MultiMix, ResizeMix, SaliencyMix, SmoothMix

# The compiler itself warns, differently from release to release.
pytestmark = [pytest.mark.unchecked, pytest.mark.filterwarnings("default")]


ONE_OF_A_KIND = [MixUp(), CutMix(), FMix(), SmoothMix(), ResizeMix()]  # of mask: `apply` knows nothing else
METHODS = [*ONE_OF_A_KIND, GridMix(), SaliencyMix()]


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch.compiler.reset()
    with torch._dynamo.config.patch(error_on_recompile=True):
        yield
    torch.compiler.reset()


def any_keywords(output, y, **options):
    return F.cross_entropy(output, y, label_smoothing=0.1, **options)


@pytest.mark.parametrize(
    "criterion",
    [F.cross_entropy, any_keywords, torch.nn.CrossEntropyLoss(reduction="none")],
    ids=["torch", "any", "module"],
)
def test_a_plan_s_loss_is_in_the_graph_whatever_the_criterion(criterion):
    mix = MultiMix("cutmix", num_mixes=3, num_classes=10)
    x, y = torch.rand(8, 3, 10, 12), torch.randint(10, (8,))
    plan, logits = mix.plan(x), torch.randn(24, 10)
    compiled = torch.compile(lambda plan, output, y: plan.loss(criterion, output, y), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(plan, logits, y), plan.loss(criterion, logits, y))


@pytest.mark.parametrize("with_out", [False, True])
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_one_graph_for_all_steps(method, with_out):
    mix = MultiMix(method, num_mixes=3, num_classes=10)
    compiled = torch.compile(mix.apply, fullgraph=True, backend="aot_eager")
    out = torch.empty(24, 3, 10, 12) if with_out else None
    for step in range(20):
        x, y = torch.rand(8, 3, 10, 12), torch.randint(10, (8,))
        plan = mix.plan(x, generator=torch.Generator().manual_seed(step))
        x_mix, y_mix = compiled(plan, x, y, out=out)
        expected = mix.apply(plan, x, y)
        torch.testing.assert_close((x_mix, y_mix), expected)
        assert out is None or x_mix.data_ptr() == out.data_ptr()


@pytest.mark.parametrize("method", ONE_OF_A_KIND, ids=str)
def test_the_default_backend_agrees(method):
    mix = MultiMix(method, num_mixes=3, num_classes=10)
    compiled = torch.compile(mix.apply, fullgraph=True)
    for step in range(3):
        x, y = torch.rand(8, 3, 10, 12), torch.randint(10, (8,))
        plan = mix.plan(x, generator=torch.Generator().manual_seed(step))
        torch.testing.assert_close(compiled(plan, x, y), mix.apply(plan, x, y))


def test_a_label_that_is_no_class_is_nan_where_it_cannot_be_refused():
    mix = MultiMix("mixup", num_mixes=3, num_classes=10)
    x, y = torch.rand(8, 3, 4, 4), torch.arange(8)
    plan = mix.plan(x)
    y[2], y[5] = -1, 10
    y_mix = torch.compile(mix.apply, fullgraph=True, backend="aot_eager")(plan, x, y)[1].view(3, 8, 10)
    strange = torch.isin(torch.arange(8), torch.tensor([2, 5]))
    assert torch.equal(y_mix.isnan(), (strange | strange[plan.partner])[None, :, None].expand(3, 8, 10))


@pytest.mark.parametrize("with_out", [False, True])
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_apply_reads_no_value(method, with_out):
    # Tensors on the meta device have no values: whatever would make an accelerator wait for one fails here.
    mix = MultiMix(method, num_mixes=3, num_classes=10)
    x, y = torch.empty(8, 3, 10, 12, device="meta"), torch.empty(8, dtype=torch.long, device="meta")
    out = torch.empty(24, 3, 10, 12, device="meta") if with_out else None
    x_mix, y_mix = mix(x, y, out=out)
    assert x_mix.shape == (24, 3, 10, 12)
    assert y_mix.shape == (24, 10)
    assert {x_mix.device.type, y_mix.device.type} == {"meta"}


@pytest.mark.parametrize("method", ["mixup", CutMix(boxes="inside"), MixUp(alpha=0.3)], ids=str)
def test_a_compiled_training_step_draws_anew_each_time(method):
    mix = MultiMix(method, num_mixes=3, num_classes=4)
    x, y = torch.rand(5, 3, 6, 6), torch.arange(5) % 4

    @torch.compile(backend="eager")
    def step(x, y, generator):
        return mix(x, y, generator=generator)

    seen = set()
    with torch._dynamo.config.patch(error_on_recompile=False):
        for seed in range(4):
            x_mix, y_mix = step(x, y, torch.Generator().manual_seed(seed))
            expected = mix(x, y, generator=torch.Generator().manual_seed(seed))
            torch.testing.assert_close((x_mix, y_mix), expected)
            seen.add(float(x_mix.sum()))
    assert len(seen) == 4
