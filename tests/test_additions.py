"""A new method, kind of mask or data set, added from outside as CONTRIBUTING says, works like those that are here."""

import json
import runpy
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from multimix import Choice, CutMix, MultiMix
from multimix.kernels.cpu import table
from multimix.lab.command_line.main import main
from multimix.lab.data import DATASETS, Data, HeldSplit
from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import BadFiles, class_folders
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.sets.published import Layout, PublishedImages
from multimix.lab.evaluate.evaluator import Evaluator, percent
from multimix.lab.evaluate.evaluators import EVALUATORS
from multimix.masks import Boxes
from multimix.masks.mask import Mask, over_channels, partners, samples
from multimix.methods import METHODS, Method, Step


@dataclass(frozen=True)
class Top:
    """The first lines of an image are the sample's, the others the partner's.

    Attributes:
        lines: how many.
        spatial: the sizes of the images' spatial axes.
    """

    lines: Tensor
    spatial: tuple[int, ...]
    averages: ClassVar[bool] = False

    def weight(self) -> Tensor:
        return self.lines / self.spatial[0]

    def select(self, pairs: Tensor) -> "Top":
        return Top(self.lines[:, pairs], self.spatial)

    def blend(self, x: Tensor, sample: Tensor | None, partner: Tensor, out: Tensor | None = None) -> Tensor:
        line = torch.arange(self.spatial[0], device=x.device).reshape(-1, *[1] * (len(self.spatial) - 1))
        kept = line < self.lines.reshape(*self.lines.shape, *[1] * len(self.spatial))
        return torch.where(over_channels(kept, x), samples(x, sample), partners(x, partner), out=out)


@dataclass(frozen=True)
class Curtain(Method):
    """Lower the sample like a curtain."""

    alpha: float = 1.0

    def mask(self, step: Step) -> Top:
        (tops,) = step.tensors(np.rint(step.lam * step.spatial[0]).astype(np.int64))
        return Top(tops, step.spatial)


class WithoutEdges(CutMix):
    """Boxes that leave the first line to the sample: a change of another method's mask."""

    def mask(self, step: Step) -> Boxes:
        mask = super().mask(step)
        return replace(mask, low=mask.low.clamp_min(1).minimum(mask.high))


@pytest.mark.parametrize("share", ["pair", "batch"])
def test_labels_follow_a_mask_that_is_not_the_one_whose_weights_are_known(share):
    x = torch.arange(6.0).reshape(6, 1, 1, 1).expand(6, 1, 5, 4).contiguous()
    plan = MultiMix(WithoutEdges(), num_mixes=3, share=share).plan(x)
    assert torch.equal(plan.weight, plan.mask.weight())
    assert not plan.mask.inside()[:, :, 0].any()


def colour_planes() -> tuple[Tensor, Tensor]:
    y = torch.arange(6) % 3
    return torch.nn.functional.one_hot(y, 3).float()[:, :, None, None].expand(-1, -1, 7, 5).contiguous(), y


def test_a_kind_of_mask_keeps_the_contract():
    assert isinstance(Top(torch.ones(1, 1), (4,)), Mask)


@pytest.mark.parametrize("partners", ["same", "fresh"])
@pytest.mark.parametrize("share", ["pair", "batch"])
def test_a_method_from_outside_mixes_by_its_name(share, partners, monkeypatch):
    monkeypatch.setitem(METHODS, "curtain", Curtain)
    x, y = colour_planes()
    mix = MultiMix("curtain", num_mixes=4, num_classes=3, share=share, partners=partners)
    for given in (x, x.to(memory_format=torch.channels_last), x.clone().requires_grad_(), x.byte()):
        x_mix, y_mix = mix(given, y, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(x_mix.detach().float().mean((2, 3)), y_mix)
        assert x_mix.is_contiguous(memory_format=torch.channels_last) == given.is_contiguous(
            memory_format=torch.channels_last
        )
    plan = mix.plan(x, generator=torch.Generator().manual_seed(0))
    whole, parts = mix.apply(plan, x)[0].view(4, 6, *x.shape[1:]), plan.split(2)
    assert torch.equal(torch.cat([mix.apply(p, x)[0].view(4, 3, *x.shape[1:]) for p in parts], 1), whole)
    dense = MultiMix("curtain", num_mixes=4, num_classes=3, dense_targets=True)
    assert torch.equal(dense.apply(plan, x, y[:, None, None].expand(-1, 7, 5))[1], whole.flatten(0, 1))
    assert MultiMix(Choice(["curtain"])).plan(x).num_mixes == 5


def test_the_recipe_s_program_gives_the_exit_code_on(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[1] / "docs" / "methods.md").read_text("utf-8")
    end = next(block for block in page.split("```python\n") if block.startswith('if __name__ == "__main__"'))
    (tmp_path / "own.py").write_text(end.partition("```")[0])
    monkeypatch.setattr(sys, "argv", ["own.py", "train", "--model", "nosuch", "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(tmp_path / "own.py"), run_name="__main__")
    assert end.value.code == 2
    assert "model must be one of" in capsys.readouterr().err


@pytest.mark.compiled
def test_a_kernel_is_one_row(monkeypatch):
    calls = []

    def write(mask: Top, job: table.Job) -> None:
        calls.append(job.x.shape)
        job.out.copy_(mask.blend(job.x, job.sample, job.partner).view(job.out.shape))

    monkeypatch.setitem(table.KERNELS, Top, (write, lambda mask, dtype: dtype == torch.float32))
    x, y = colour_planes()
    mix = MultiMix(Curtain(), num_mixes=2, num_classes=3)
    x_mix, y_mix = mix(x, y)
    torch.testing.assert_close(x_mix.mean((2, 3)), y_mix)
    assert calls == [x.shape]
    mix(x.double(), y)
    mix(x.requires_grad_(), y)
    assert len(calls) == 1


@dataclass(frozen=True)
class Stubbornness(Evaluator):
    """How often the top class stays when the sample is turned upside down."""

    num_samples: int | None = None
    lines: int = 8
    metrics: ClassVar = {"stubbornness": percent("stays upside down", "stays,\nturned, %", "Stubbornness", "higher")}

    def check(self, data: Data) -> None:
        assert data.sample_shape[1] == self.lines

    def __call__(self, model: torch.nn.Module, data: Data) -> dict[str, float]:
        x, _ = next(data.test.chunks(self.num_samples or len(data.test)))
        with torch.no_grad():
            same = model(x).argmax(dim=1) == model(x.flip(2)).argmax(dim=1)
        return {"stubbornness": same.double().mean().item()}


def test_an_evaluator_from_outside_is_asked_and_reported_by_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(EVALUATORS, "stubbornness", Stubbornness)
    runs, page = tmp_path / "runs", tmp_path / "page.md"
    tiny = ["--model", "mlp", "--batch-size", "4", "--steps", "2", "--evaluations", "1"]
    compared = ["--methods", "none", "--seeds", "1", "--jobs", "0"]
    assert main(["compare", *tiny, *compared, "--out", str(runs)]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(runs), "--with", "stubbornness", "--num-samples", "8"]) == 0
    value = json.loads((runs / "none-s0" / "evaluation.json").read_text())["stubbornness"]
    assert 8 * value in range(9)
    printed = capsys.readouterr().out.splitlines()
    assert any("turned, %" in line for line in printed)
    assert printed[-2].split() == ["none-s0", f"{100 * value:.2f}"]
    assert main(["report", str(runs), "-o", str(page)]) == 0
    table = page.read_text().partition("### Stubbornness\n\n")[2].splitlines()
    assert (table[0], table[2]) == (
        "| method | K | control | n | stays upside down, % |",
        f"| none | 1 |  | 1 | {100 * value:.2f} |",
    )


@dataclass(frozen=True)
class Corners:
    """(N, 2) points in two opposite corners of the plane.

    Args:
        noise: Standard deviation of the noise.
    """

    name = "corners"
    noise: float = 0.1

    def load(self, root: Path | None, bad_files: BadFiles) -> EncodedData:
        labels = torch.arange(40) % 2
        x = labels[:, None] + self.noise * torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
        return EncodedData(self.name, {"train": HeldSplit(x, labels), "test": HeldSplit(-x, labels)}, ["low", "high"])


@dataclass(frozen=True)
class Flags(PublishedImages):
    """(N, 3, 4, 6) images of two flags, in class folders."""

    name = "flags"
    layouts = (Layout(marks=["train/red/"], homes=["flags"]),)
    hub = "no copy on the hub is known"
    num_train, num_classes, sample_shape = 12, 2, (3, 4, 6)
    prepare = Normalise((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    def read(self, home: Path, bad_files: BadFiles) -> EncodedData:
        classes = ["green", "red"]
        return self.encoded(
            {part: class_folders(home / part, classes, bad_files) for part in ("train", "test")}, classes
        )


def write_flags(home: Path) -> None:
    for part, number in (("train", 6), ("test", 2)):
        for name in ("green", "red"):
            (home / part / name).mkdir(parents=True)
            for index in range(number):
                Image.new("RGB", (6, 4), name).save(home / part / name / f"{index}.png")


def train(*arguments: str) -> int:
    return main(["train", *arguments, "--model", "mlp", "--steps", "1", "--batch-size", "6", "--num-mixes", "2"])


def test_a_data_set_from_outside_is_trained_on_by_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(DATASETS, Corners.name, Corners)
    asked = ["--data", "corners", "--data-options.noise", "0.5", "--out", str(tmp_path / "run")]
    assert train(*asked, "--dry-run") == 0
    assert "data: corners, 40 samples to train on, 40 to test on, of shape (2,), 2 classes" in capsys.readouterr().out
    assert train(*asked) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data_options"] == {"noise": 0.5}
    assert (tmp_path / "run" / "model.safetensors").exists()
    assert train("--data", "corners", "--data-options.nois", "1", "--out", "x") == 2
    assert "data_options must be options of corners, got 'nois'; did you mean \"noise\"?" in capsys.readouterr().err


def test_a_published_data_set_from_outside_has_all_that_the_others_have(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(DATASETS, Flags.name, Flags)
    asked = ["--data", "flags", "--data-options.padding", "1", "--out", str(tmp_path / "run")]
    assert train(*asked, "--dry-run") == 0  # with samples made up
    assert "made-up samples of shape (3, 4, 6), 2 classes; 12 to train on" in capsys.readouterr().out
    assert train(*asked, "--data-root", str(tmp_path)) == 2
    said = capsys.readouterr().err
    assert "flags must be a copy in a published layout" in said
    assert "flags with train/red/), and no copy on the hub is known; unpack it" in said
    write_flags(tmp_path / "flags")
    (tmp_path / "flags" / "train" / "red" / "3.png").write_bytes(b"no image")
    assert train(*asked, "--data-root", str(tmp_path)) == 2
    assert "every file of flags must be usable, got 1 bad:" in capsys.readouterr().err
    assert train(*asked, "--data-root", str(tmp_path), "--on-bad-file", "skip") == 0
    assert "red/3.png (no image)" in (tmp_path / "run" / "skipped_files.txt").read_text()
