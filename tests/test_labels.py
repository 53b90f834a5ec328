"""Soft labels and large results on a CPU: the quick ways give what the plain ones give."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multimix import labels, memory


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    mixes=st.integers(1, 4),
    pairs=st.integers(1, 9),
    classes=st.integers(1, 30),
    fresh=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_soft_labels_are_the_weighted_one_hots(seed, mixes, pairs, classes, fresh, dtype):
    generator = torch.Generator().manual_seed(seed)
    own = torch.randint(classes, (pairs,), generator=generator)
    other = torch.randint(classes, (mixes, pairs) if fresh else (1, pairs), generator=generator).expand(mixes, pairs)
    weight = torch.rand(mixes, pairs, generator=generator, dtype=dtype)
    out = torch.full((mixes, pairs, classes), 7.0, dtype=dtype)
    labels.soften(own, other, weight, out)
    hot = torch.nn.functional.one_hot
    w = weight[..., None]
    assert torch.equal(out, w * hot(own, classes) + (1 - w) * hot(other, classes))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("large", [False, True])
def test_new_memory_is_an_ordinary_tensor(layout, large, monkeypatch):
    monkeypatch.setattr(memory, "LARGE_BYTES", 0 if large else 2**60)
    new = memory.empty((5, 3, 700, 701), torch.float32, layout)
    assert new.shape == (5, 3, 700, 701)
    assert new.is_contiguous(memory_format=layout)
    assert new.fill_(1).sum() == new.numel()
    assert new.untyped_storage().resizable()
    memory.empty((1, 1, 1, 1), torch.float32, layout).fill_(1)  # less than a page


def test_a_system_without_huge_pages_is_no_error(monkeypatch):
    monkeypatch.setattr(memory, "LARGE_BYTES", 0)
    monkeypatch.setattr(memory, "_madvise", lambda: None)
    assert memory.empty((2, 3), torch.float64, torch.contiguous_format).shape == (2, 3)
