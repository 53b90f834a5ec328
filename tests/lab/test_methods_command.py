"""The table of methods says what their code does."""

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

from multimix import MultiMix
from multimix.lab.about.methods import AXES, Layers, method_facts
from multimix.lab.command_line.main import main
from multimix.methods import METHODS
from multimix.methods.mixup import MixUp


@pytest.mark.parametrize("name", METHODS)
def test_the_facts_are_what_mixing_shows(name):
    facts = method_facts(name)
    assert facts.does.endswith(".")
    for axes, kind in enumerate(AXES, start=1):
        x, y = torch.rand(3, 2, *[16] * axes), torch.tensor([0, 1, 2])
        mix = MultiMix(name, num_mixes=2, num_classes=3)
        saliency = torch.rand(3, *[16] * axes)
        try:
            mix.run(Layers(), x, y, saliency=saliency)
            mixed = True
        except ValueError:
            mixed = False
        assert (kind in facts.axes) == mixed, kind
    whole_numbers = torch.zeros(3, 2, 16, 16, dtype=torch.uint8)
    try:
        mix.run(Layers(), whole_numbers, y, saliency=torch.rand(3, 16, 16))
        mixed = True
    except ValueError:
        mixed = False
    assert mixed == (not facts.blends)


def test_known_facts():
    cutmix, puzzle, manifold = (method_facts(name) for name in ("cutmix", "puzzlemix", "manifold"))
    assert cutmix.options == {"alpha": "1.0", "boxes": '"nested"'}
    assert cutmix.paper == "Yun et al., 2019, CutMix, arXiv 1905.04899, eq. (1)-(2)."
    assert (cutmix.inside, cutmix.saliency, cutmix.blends, cutmix.axes) == (False, False, False, AXES[:3])
    assert (puzzle.inside, puzzle.saliency, puzzle.blends, puzzle.axes) == (False, True, True, AXES[:2])
    assert (cutmix.model, puzzle.model) == (False, True)
    assert puzzle.options["criterion"] == "cross_entropy"
    assert manifold.inside
    assert manifold.axes == AXES
    assert manifold.options == {"layers": "None", "alpha": "2.0"}


@dataclass(frozen=True)
class Fourfold(MixUp):
    """Blend four times.

    Then `rest`.

    Args:
        times: how often, a number
            above zero.

    References:
        Nobody, 2031, Fourfold,
        arXiv 3101.00001.
    """

    times: int = 4
    blends: ClassVar[bool] = True


def test_a_new_method_is_in_the_table_without_a_change(monkeypatch, capsys):
    monkeypatch.setitem(METHODS, "fourfold", Fourfold)
    assert main(["methods"]) == 0
    printed = capsys.readouterr().out
    for said in (*METHODS, "Blend four times.", "alpha=1.0, times=4", "Nobody, 2031, Fourfold, arXiv 3101.00001."):
        assert said in printed


def test_one_method_is_said_in_full(monkeypatch, capsys):
    monkeypatch.setitem(METHODS, "fourfold", Fourfold)
    assert main(["methods", "fourfold"]) == 0
    printed = capsys.readouterr().out
    said = [
        "fourfold: Blend four times.",
        "Then rest.",
        "times=4 ",
        "how often, a number above zero.",
        "floating point",
    ]
    said += [
        "Nobody, 2031, Fourfold, arXiv 3101.00001.",
        "mix = MultiMix(Fourfold(alpha=1.0), num_mixes=5, num_classes=10)",
    ]
    said += ["multimix train --method fourfold --method-options.alpha 1.0", "multimix preview A.png B.png"]
    for words in said:
        assert words in printed
    assert "cutmix" not in printed


@pytest.mark.parametrize("name", METHODS)
def test_the_lines_that_are_printed_work_on_a_model_of_ones_own(name, capsys):
    assert main(["methods", name]) == 0
    printed = capsys.readouterr().out
    made = re.findall(r"(mix = MultiMix\(.*\))", printed)
    (call,) = re.findall(r"(?:Loop +)(\S.*\))", printed)
    assert len(made) == 2 - method_facts(name).inside
    for line in made:
        names = {"MultiMix": MultiMix} | {kind.__name__: kind for kind in METHODS.values()}
        names |= {"model": small_model(), "x": torch.rand(4, 3, 16, 16), "y": torch.arange(4)}
        exec(f"{line}\n{call}", names)
        assert names["y_mix"].shape == (4 if name == "none" else 20, 10)


def small_model():
    first, second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
    return nn.Sequential(OrderedDict(layer1=first, layer2=second, flat=nn.Flatten(), head=nn.Linear(576, 10)))


def test_every_option_of_every_method_has_a_meaning():
    for name in METHODS:
        facts = method_facts(name)
        assert set(facts.meanings) == set(facts.options), name
        assert all(meaning.endswith(".") for meaning in facts.meanings.values()), name


def test_an_unknown_method_is_refused_with_the_nearest_name(capsys):
    assert main(["methods", "cutmx"]) == 2
    assert "got name='cutmx'; did you mean \"cutmix\"?" in capsys.readouterr().err
