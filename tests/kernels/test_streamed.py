"""The CPU kernels against slow, obvious loops: any shape, any alignment, any ends, any number of threads."""

import multiprocessing
import os
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from multimix.kernels import threads
from multimix.kernels.cpu import streamed

SIZES = st.one_of(st.integers(1, 40), st.sampled_from([64, 127, 2048, 2049, 4111]))
CUT_DTYPES = [torch.bool, torch.uint8, torch.float16, torch.bfloat16, torch.float64, torch.complex64, torch.complex128]


@pytest.fixture(params=["cache", "stream", "stream, two threads"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """All ways to write, at sizes that a test can afford."""
    before = torch.get_num_threads()
    if "stream" in request.param:
        monkeypatch.setattr(streamed, "STREAM_BYTES", 0)
    if "threads" in request.param:
        monkeypatch.setattr(threads, "THREAD_BYTES", 1)
    torch.set_num_threads(2 if "threads" in request.param else 1)
    yield request.param
    torch.set_num_threads(before)


def unaligned(shape: tuple[int, ...], dtype: torch.dtype, shift: int) -> Tensor:
    """A contiguous tensor that starts `shift` elements after an aligned address, between guards."""
    count = torch.Size(shape).numel()
    store = torch.zeros(count + shift + 8, dtype=dtype)
    return store[shift : shift + count].view(shape)


def guards(out: Tensor) -> Tensor:
    """What surrounds an unaligned tensor, and must stay zero."""
    store = torch.empty(0, dtype=out.dtype).set_(out.untyped_storage())
    first = out.storage_offset()
    return torch.cat([store[:first], store[first + out.numel() :]])


def indices(seed: int, rows: int, mixes: int, pairs: int, fresh: bool) -> tuple[Tensor, Tensor, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    sample = torch.randint(rows, (pairs,), generator=generator)
    partner = torch.randint(rows, (mixes, pairs) if fresh else (pairs,), generator=generator)
    return sample, partner, generator


def random_values(shape: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(shape, generator=generator, dtype=torch.float32).to(dtype)
    return torch.randint(0, 2 if dtype == torch.bool else 100, shape, generator=generator).to(dtype)


def lerp_reference(x: Tensor, sample: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    """The published formula, one mix of one pair at a time."""
    mixes, pairs = weight.shape
    partner = partner.expand(mixes, pairs)
    out = torch.empty(mixes, pairs, x.shape[1], dtype=x.dtype)
    for k in range(mixes):
        for i in range(pairs):
            lam, mine, other = weight[k, i].to(x.dtype), x[sample[i]], x[partner[k, i]]
            out[k, i] = mine if lam == 1 else other if lam == 0 else lam * mine + (1 - lam) * other
    return out


def cut_reference(x: Tensor, sample: Tensor, partner: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """A copy of the sample with a slice of the partner."""
    mixes, pairs, axes = low.shape
    partner = partner.expand(mixes, pairs)
    out = torch.empty(mixes, *x[sample].shape, dtype=x.dtype)
    for k in range(mixes):
        for i in range(pairs):
            box = (slice(None), *(slice(int(low[k, i, a]), int(high[k, i, a])) for a in range(axes)))
            out[k, i] = x[sample[i]]
            out[k, i][box] = x[partner[k, i]][box]
    return out


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(1, 5),
    size=SIZES,
    mixes=st.integers(1, 7),
    pairs=st.integers(1, 5),
    fresh=st.booleans(),
    shift=st.integers(0, 20),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    stream=st.booleans(),
)
def test_lerp_is_the_published_formula(seed, rows, size, mixes, pairs, fresh, shift, dtype, stream):
    sample, partner, generator = indices(seed, rows, mixes, pairs, fresh)
    x = random_values((rows, size), dtype, generator)
    weight = torch.rand(mixes, pairs, generator=generator)
    out = unaligned((mixes, pairs, size), dtype, shift)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed, "STREAM_BYTES", 0 if stream else 2**60)
        streamed.lerp_rows(x, sample, partner, weight, out)
    torch.testing.assert_close(out, lerp_reference(x, sample, partner, weight), rtol=0, atol=0)
    assert not guards(out).any()


@settings(deadline=None, max_examples=120)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(1, 4),
    channels=st.integers(1, 3),
    space=st.one_of(
        st.tuples(SIZES),
        st.tuples(st.integers(1, 70), st.integers(1, 70)),
        st.tuples(st.integers(1, 9), st.integers(1, 20), st.integers(1, 40)),
    ),
    mixes=st.integers(1, 7),
    pairs=st.integers(1, 4),
    fresh=st.booleans(),
    shift=st.integers(0, 20),
    dtype=st.sampled_from(CUT_DTYPES),
    edge=st.sampled_from([torch.int32, torch.int64]),
    stream=st.booleans(),
)
def test_cut_is_a_slice(seed, rows, channels, space, mixes, pairs, fresh, shift, dtype, edge, stream):
    sample, partner, generator = indices(seed, rows, mixes, pairs, fresh)
    x = random_values((rows, channels, *space), dtype, generator)
    ends = [torch.randint(0, n + 1, (2, mixes, pairs), generator=generator).sort(0).values for n in space]
    low, high = torch.stack(ends, -1).to(edge)
    out = unaligned((mixes, pairs, channels, *space), dtype, shift)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed, "STREAM_BYTES", 0 if stream else 2**60)
        streamed.cut_rows(x, sample, partner, low, high, out)
    assert torch.equal(out, cut_reference(x, sample, partner, low, high))
    assert not guards(out).any()


def some_blend(pairs: int = 6, size: int = 3 * 33 * 31) -> tuple[Tensor, ...]:
    sample, partner, generator = indices(1, pairs, 5, pairs, fresh=False)
    x = random_values((pairs, size), torch.float32, generator)
    return x, sample, partner, torch.rand(5, pairs, generator=generator), torch.empty(5, pairs, size)


def test_every_way_to_write_a_blend(way: str) -> None:
    x, sample, partner, weight, out = some_blend()
    streamed.lerp_rows(x, sample, partner, weight, out)
    assert torch.equal(out, lerp_reference(x, sample, partner, weight))


def test_every_way_to_cut_a_box(way: str) -> None:
    sample, partner, generator = indices(2, 6, 5, 6, fresh=True)
    x = random_values((6, 3, 33, 50), torch.float32, generator)
    low = torch.randint(0, 30, (5, 6, 2), generator=generator)
    high = low + torch.randint(0, 4, (5, 6, 2), generator=generator)
    out = torch.empty(5, *x.shape)
    streamed.cut_rows(x, sample, partner, low, high, out)
    assert torch.equal(out, cut_reference(x, sample, partner, low, high))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_weight_of_one_or_zero_copies(way: str, dtype: torch.dtype) -> None:
    x = torch.tensor([[-0.0, 1.0, 1e-42, 3.0], [float("inf"), float("nan"), -0.0, 5.0]], dtype=dtype).repeat(1, 40)
    out = torch.empty(2, 2, 160, dtype=dtype)
    weight = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    streamed.lerp_rows(x, torch.tensor([0, 1]), torch.tensor([1, 0]), weight, out)
    bits = {torch.float32: torch.int32, torch.float64: torch.int64}[dtype]
    assert torch.equal(out.view(bits), torch.stack([x, x.flip(0)]).view(bits))


def test_infinities_spread_between_the_ends(way: str) -> None:
    x = torch.stack([torch.ones(100), torch.full((100,), float("inf"))])
    out = torch.empty(1, 1, 100)
    streamed.lerp_rows(x, torch.tensor([0]), torch.tensor([1]), torch.tensor([[1e-30]]), out)
    assert out.isposinf().all()


def test_boxes_are_clipped_to_the_image() -> None:
    x = torch.arange(2 * 6 * 6).view(2, 1, 6, 6)
    out = torch.empty(1, 1, 1, 6, 6, dtype=x.dtype)
    one, other = torch.tensor([0]), torch.tensor([1])
    streamed.cut_rows(x, one, other, torch.tensor([[[-9, 2]]]), torch.tensor([[[3, 99]]]), out)
    expected = x[0].clone()
    expected[:, :3, 2:] = x[1, :, :3, 2:]
    assert torch.equal(out[0, 0], expected)


@pytest.mark.parametrize("bad", [-1, 6])
def test_no_row_beyond_x_is_read(way: str, bad: int) -> None:
    x, sample, partner, weight, out = some_blend()
    out.fill_(7)
    for which in (sample, partner):
        wrong = which.clone()
        wrong[-1] = bad
        rows = (wrong, partner) if which is sample else (sample, wrong)
        with pytest.raises(IndexError, match="row of x"):
            streamed.lerp_rows(x, *rows, weight, out)
        edges = torch.zeros(5, 6, 1, dtype=torch.long)
        with pytest.raises(IndexError, match="row of x"):
            streamed.cut_rows(x[:, None], *rows, edges, edges + 3, out[:, :, None])
    assert (out == 7).all()


def test_strided_coefficients_are_understood() -> None:
    x, sample, partner, weight, out = some_blend()
    streamed.lerp_rows(x, sample.repeat(2)[::2], partner.repeat(2)[::2], weight.t().contiguous().t(), out)
    assert torch.equal(out, lerp_reference(x, sample.repeat(2)[::2], partner.repeat(2)[::2], weight))


def test_a_large_output_is_streamed_by_threads() -> None:
    x, sample, partner, weight, out = some_blend(pairs=7, size=2**18)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    streamed.lerp_rows(x, sample, partner, weight, out)
    torch.set_num_threads(before)
    assert out.nbytes > max(streamed.STREAM_BYTES, threads.THREAD_BYTES)
    assert torch.equal(out, lerp_reference(x, sample, partner, weight))


def _blend_in_child(connection) -> None:
    x, sample, partner, weight, out = some_blend()
    streamed.lerp_rows(x, sample, partner, weight, out)
    connection.send_bytes(out.numpy().tobytes())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # PyTorch's own threads would hang in the child; it is asked for nothing that would start them.
    monkeypatch.setattr(threads, "THREAD_BYTES", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    x, sample, partner, weight, out = some_blend()
    streamed.lerp_rows(x, sample, partner, weight, out)
    assert any(thread.name.startswith("multimix") for thread in threading.enumerate())
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_blend_in_child, args=(there,), daemon=True)
    child.start()
    assert here.poll(20), "the child waits for threads that it does not have"
    assert here.recv_bytes() == out.numpy().tobytes()
    child.join()


class Mixed(torch.utils.data.Dataset[Tensor]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        x, sample, partner, weight, out = some_blend()
        streamed.lerp_rows(x, sample, partner, weight, out)
        return out


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_inside_loader_workers() -> None:
    mixed = torch.cat(list(torch.utils.data.DataLoader(Mixed(), batch_size=2, num_workers=1)))
    assert torch.equal(mixed, Mixed()[0].expand(4, -1, -1, -1))
