"""Which kernels a process uses: `MULTIMIX_KERNELS`."""

import sys
import warnings

import pytest
import torch

from multimix import MultiMix
from multimix.kernels import family
from multimix.kernels.triton import available


@pytest.fixture
def fresh():
    """The environment is read once per process: read it again, here and after the test."""
    memories = (family.chosen, available.why_not, available._warn)
    for memory in memories:
        memory.cache_clear()
    yield
    for memory in memories:
        memory.cache_clear()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("value", "used"), [(None, "cpu"), ("", "cpu"), ("auto", "cpu"), ("cpu", "cpu"), ("torch", "torch")]
)
def test_the_variable_chooses(value, used, monkeypatch):
    monkeypatch.delenv("MULTIMIX_KERNELS", raising=False)
    if value is not None:
        monkeypatch.setenv("MULTIMIX_KERNELS", value)
    assert family.family_of(torch.device("cpu")) == used
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
        ("triton", 'must name kernels that can be used here, got MULTIMIX_KERNELS="triton": no GPU was found'),
    ],
)
def test_kernels_that_are_not_there_are_refused_before_any_work(value, message, monkeypatch):
    monkeypatch.setenv("MULTIMIX_KERNELS", value)
    with pytest.raises(ValueError, match=message):
        MultiMix("mixup")


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("value", "why", "used"),
    [
        ("auto", "", "triton"),
        ("auto", "no compiler", "torch"),
        ("triton", "", "triton"),
        ("cpu", "", "torch"),
        ("torch", "", "torch"),
    ],
)
def test_what_a_gpu_takes(value, why, used, monkeypatch):
    monkeypatch.setattr(family, "chosen", lambda: value)
    monkeypatch.setattr(available, "why_not", lambda device: why)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [family.family_of(torch.device("cuda", i)) for i in (0, 1)] == [used, used]
    assert [str(warning.message).rpartition(": ")[2] for warning in caught] == ([why] if why else [])
    assert family.family_of(torch.device("mps")) == "torch"


@pytest.mark.usefixtures("fresh")
def test_kernels_asked_for_by_name_fail_loudly(monkeypatch):
    monkeypatch.setattr(family, "chosen", lambda: "triton")
    monkeypatch.setattr(available, "why_not", lambda device: "no compiler")
    with pytest.raises(ValueError, match='got MULTIMIX_KERNELS="triton": no compiler; unset it'):
        family.family_of(torch.device("cuda"))


@pytest.mark.usefixtures("fresh")
def test_why_triton_cannot_be_used(monkeypatch):
    class Old:
        __version__ = "3.2.0"

    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert "TRITON_INTERPRET=1" in available.why_not(torch.device("cpu"))
    assert available.why_not(torch.device("mps")) == "there is no Triton for mps"
    monkeypatch.setitem(sys.modules, "triton", None)
    assert "not installed" in available.why_not(torch.device("cuda", 0))
    monkeypatch.setitem(sys.modules, "triton", Old)
    assert "must be 3.3 or newer, got 3.2.0" in available.why_not(torch.device("cuda", 1))
    Old.__version__ = "3.7.1"
    with monkeypatch.context() as capture:
        capture.setattr(torch.cuda, "is_available", lambda: True)
        capture.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
        with pytest.raises(RuntimeError, match="got a first call within a capture"):
            available.why_not(torch.device("cuda", 2))
    assert "a first kernel failed: " in available.why_not(torch.device("cuda", 2))


@pytest.mark.usefixtures("fresh")
def test_an_interpreter_needs_triton(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.setenv("MULTIMIX_KERNELS", "triton")
    with pytest.raises(ValueError, match="not installed"):
        MultiMix("mixup")
