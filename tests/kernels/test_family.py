"""Which kernels a process uses: `MULTIMIX_KERNELS`."""

import pytest
import torch

from multimix import MultiMix
from multimix.kernels import family


@pytest.fixture
def fresh():
    """The environment is read once per process: read it again, here and after the test."""
    family.chosen.cache_clear()
    yield
    family.chosen.cache_clear()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("value", "used"), [(None, "cpu"), ("", "cpu"), ("auto", "cpu"), ("cpu", "cpu"), ("torch", "torch")]
)
def test_the_variable_chooses(value, used, monkeypatch):
    monkeypatch.delenv("MULTIMIX_KERNELS", raising=False)
    if value is not None:
        monkeypatch.setenv("MULTIMIX_KERNELS", value)
    assert family.family_of(torch.device("cpu")) == used
    assert family.family_of(torch.device("cuda")) == "torch"
    x = torch.randn(3, 2, 4, 4)
    plan = MultiMix("cutmix").plan(x)
    assert (family.find_kernel(x, plan) is None) == (used == "torch")
    monkeypatch.setenv("MULTIMIX_KERNELS", "numba")
    assert family.family_of(torch.device("cpu")) == used  # read once


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("numba", "MULTIMIX_KERNELS must be one of auto, torch, cpu, triton, got MULTIMIX_KERNELS='numba'"),
        ("Torch", 'did you mean "torch"'),
        ("triton", "whose kernels for masks are missing in this version; unset it"),
    ],
)
def test_kernels_that_are_not_there_are_refused_before_any_work(value, message, monkeypatch):
    monkeypatch.setenv("MULTIMIX_KERNELS", value)
    with pytest.raises(ValueError, match=message):
        MultiMix("mixup")
