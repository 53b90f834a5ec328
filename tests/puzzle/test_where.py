"""What no GPU kernel solves goes to the CPU and back, by one copy each way."""

import pytest
import torch

from multimix import MultiMix, PuzzleMix
from multimix.methods import puzzlemix
from multimix.puzzle import where

META = torch.device("meta")


def test_tensors_that_move_together_keep_their_bits_types_and_shapes(monkeypatch):
    copies = []
    monkeypatch.setattr(where, "to_device", lambda t, device: copies.append(device) or t.clone())
    kinds = (torch.uint8, torch.float32, torch.int64, torch.bool, torch.float64, torch.int32)
    given = [torch.randint(2, (3, 5), dtype=torch.int64).to(kind) for kind in kinds]
    given += [torch.randn(2, 0, 4), torch.randn(4, 6).T, torch.randn(()), torch.full((1, 3), torch.nan)]
    moved = where.moved_together(given, META)
    assert copies == [META]
    for before, after in zip(given, moved, strict=True):
        assert after.dtype == before.dtype
        torch.testing.assert_close(after, before, rtol=0, atol=0, equal_nan=True)


def test_nothing_is_copied_on_the_cpu():
    given = [torch.ones(2), torch.zeros(3)]
    assert all(a is b for a, b in zip(where.moved_together(given, where.CPU), given, strict=True))


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("torch", {"grid": 4}),
        ("torch", {"grid": 4, "levels": 2, "transport": False}),
        ("triton", {"grid": 18}),
        ("triton", {"grid": 16, "transport_size": 1}),
        ("triton", {"grid": 4, "transport": "exact"}),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Puzzle Mix finds its masks on the CPU:RuntimeWarning")
def test_what_the_cpu_solves_crosses_once_each_way(family, options, monkeypatch):
    # Tensors on the meta device have no values: whatever else would wait for one fails. What crosses is made up here.
    crossings = []

    def move(tensors, device):
        crossings.append(device.type)
        return [torch.zeros(t.shape, dtype=t.dtype, device=device) for t in tensors]

    monkeypatch.setattr(puzzlemix, "moved_together", move)
    monkeypatch.setattr(where, "family_of", lambda device: family if device.type == "meta" else "cpu")
    mix = MultiMix(PuzzleMix(**options), num_mixes=2)
    plan = mix.plan(torch.empty(4, 3, 36, 32, device=META), saliency=torch.empty(4, 36, 32, device=META))
    assert crossings == ["cpu", "meta"]
    assert plan.mask.kept.device == META
    assert plan.weight.device == META


def test_other_gpus_are_spoken_of_once():
    where._warn.cache_clear()
    with pytest.warns(RuntimeWarning, match="finds its masks on the CPU, for which every step waits"):
        assert not where.solved_here(torch.device("mps"), 4)
    assert not where.solved_here(torch.device("mps"), 4)  # a warning would be an error
    where._warn.cache_clear()
