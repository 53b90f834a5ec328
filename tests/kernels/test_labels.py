"""Soft labels on a CPU: the quick way gives what one-hot labels give, bit for bit."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from multimix.kernels.cpu import labels


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
