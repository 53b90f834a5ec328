"""Methods that change during a run."""

import pickle

import pytest
import torch

from multimix import Choice, CutMix, MixUp, MultiMix, Phases


def test_each_phase_lasts_until_the_next():
    choice = Choice(["mixup", "cutmix"], [1, 2])
    phases = Phases({0.9: "none", 0: choice, 0.5: CutMix(alpha=0.5)})
    assert phases.starts == (0.0, 0.5, 0.9)
    for progress, expected in ((0, choice), (0.49, choice), (0.5, CutMix(alpha=0.5)), (0.89, CutMix(alpha=0.5))):
        assert phases.at(progress) == expected
    assert type(phases.at(0.9)).__name__ == type(phases.at(1)).__name__ == type(phases.at(1.0)).__name__ == "NoMix"


def test_odds_change_and_mixing_ends():
    phases = Phases({0: Choice(["mixup", "cutmix"], [1, 0]), 0.5: Choice(["mixup", "cutmix"], [0, 1]), 0.75: "none"})
    x, y = torch.rand(4, 3, 6, 6), torch.arange(4)
    kinds = []
    for step in range(8):
        mix = MultiMix(phases.at(step / 8), num_mixes=2, num_classes=4)
        kinds.append(type(mix.plan(x).mask).__name__)
        assert len(mix(x, y)[0]) == (4 if step >= 6 else 8)
    assert kinds == ["Constant"] * 4 + ["Boxes"] * 2 + ["Everything"] * 2


def test_they_are_frozen_picklable_and_comparable():
    phases = Phases({0: "mixup", 0.9: "none"})
    assert pickle.loads(pickle.dumps(phases)) == phases == Phases({0.9: "none", 0: MixUp()})
    with pytest.raises(AttributeError):
        phases.starts = ()


@pytest.mark.parametrize(
    "starts",
    [
        {},
        {0.1: "mixup"},
        {0: "mixup", 1: "none"},
        {-0.5: "mixup", 0: "none"},
        {"0": "mixup"},
        {0: "mixup", True: "none"},
        {0: "mixup", float("nan"): "none"},
        ["mixup"],
        None,
    ],
)
def test_what_is_no_schedule_is_refused(starts):
    with pytest.raises(ValueError, match=r"starts must be shares of the run from 0 on, .*, got starts=.*; try Phases"):
        Phases(starts)


def test_unknown_methods_and_moments_are_refused():
    with pytest.raises(ValueError, match='did you mean "mixup"'):
        Phases({0: "mixpu"})
    phases = Phases({0: "mixup"})
    for progress in (-0.1, 1.01, float("nan"), "0.5", None, True):
        with pytest.raises(ValueError, match=r"progress must be a share of the run, from 0 to 1, got progress="):
            phases.at(progress)
    with pytest.raises(TypeError, match=r"must be a method object or its name, got .*; ask it for one: phases\.at"):
        MultiMix(phases)
