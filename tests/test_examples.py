"""The examples: does each run from end to end, and is the table what was measured?"""

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from multimix import MultiMix

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))
import attention_topmix  # noqa: E402
import graphs  # noqa: E402
import harness  # noqa: E402
import multi_label  # noqa: E402
import overview  # noqa: E402
import regression  # noqa: E402
import segmentation  # noqa: E402
import series  # noqa: E402
import tabular  # noqa: E402
import text  # noqa: E402
import video  # noqa: E402

sys.path.remove(str(EXAMPLES))

WITHOUT_FILES = {
    "attention_topmix": attention_topmix,
    "multi_label": multi_label,
    "regression": regression,
    "segmentation": segmentation,
    "video": video,
}
TINY_GRAPHS = "6\n" + "2 0\n0 1 1\n1 1 0\n3 1\n0 2 1 2\n0 1 0\n1 1 0\n" * 3


def tables(module, monkeypatch, tmp_path, *arguments):
    """Runs an example as a user would, but on few samples, one step for each of two seeds; returns what it wrote."""
    name = module.__name__

    def few(asked):
        for task in module.tasks(asked):
            yield harness.replace(task, rows=20, test=harness.Split(task.test.x[:60], task.test.y[:60]))

    typed = [name, *map(str, arguments), "--seeds", "2", "--steps", "1", "--results", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", typed)
    harness.run(few, name, module.__doc__, getattr(module, "options", None))
    found = json.loads((tmp_path / f"{name}.json").read_text())["tasks"]
    page = (tmp_path / f"{name}.md").read_text()
    assert [table["title"] for table in found] == [line[4:] for line in page.splitlines() if line.startswith("### ")]
    return found


@pytest.mark.parametrize("module", WITHOUT_FILES.values(), ids=WITHOUT_FILES)
def test_an_example_runs_from_end_to_end(module, monkeypatch, tmp_path):
    for table in tables(module, monkeypatch, tmp_path):
        assert all(len(row["scores"]) == 2 and min(row["scores"]) >= 0 for row in table["rows"])
        controls = [(row["num_mixes"], row["control"]) for row in table["rows"][1:4]]
        assert controls == [(1, ""), (5, "same-rows"), (5, "same-pairs")]


def tiny(mixers):
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    split = harness.Split(x, x.sum(1))
    return harness.Task(
        title="sums",
        train=split,
        test=split,
        model=lambda: nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)),
        mixers=mixers,
        loss=F.mse_loss,
        score=harness.rmse,
        score_name="RMSE",
        rows=10,
        steps=100,
        learning_rate=0.1,
    )


class TestHarness:
    def test_training_learns_and_a_seed_gives_the_same_again(self):
        task = tiny({"mixup": lambda k: MultiMix("mixup", num_mixes=k)})
        for row in harness.rows_of(task):
            assert harness.train(task, row, seed=1)[0] < 0.2
            score, again, other = (harness.train(harness.replace(task, steps=5), row, seed)[0] for seed in (1, 1, 2))
            assert score == again != other

    def test_rows_per_step_are_as_the_controls_say(self):
        met = []

        class Counting(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.zeros(()))

            def forward(self, x):
                met.append(len(x))
                return x.sum(1) * self.weight

        task = harness.replace(tiny({"mixup": lambda k: MultiMix("mixup", num_mixes=k)}), model=Counting, steps=1)
        for row in harness.rows_of(task):
            harness.train(task, row, seed=0)
        assert met == [10, 40, 10, 40, 10, 40, 50, 40]  # a step, then the test split

    def test_every_sample_is_met_once_before_any_comes_again(self):
        met = []

        class Noting(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.zeros(()))

            def forward(self, x):
                if self.training:
                    met.extend(x[:, 0].tolist())
                return x.sum(1) * self.weight

        task = harness.replace(tiny({"mixup": lambda k: MultiMix("mixup", num_mixes=k)}), model=Noting, steps=4)
        harness.train(task, harness.rows_of(task)[0], seed=0)
        assert sorted(met) == sorted(task.train.x[:, 0].tolist())


class TestSegmentation:
    def test_pixels_have_the_class_of_their_digit_or_none(self):
        digits, labels = torch.stack([torch.zeros(8, 8), torch.ones(8, 8)]), torch.tensor([3, 7])
        split = segmentation.images(digits, labels, 50, seed=0)
        assert split.x.shape == (50, 1, 16, 16)
        assert ((split.y == 7) == (split.x[:, 0] == 1)).all()
        assert ((split.y == segmentation.BACKGROUND) == (split.x[:, 0] == 0)).all()


class TestAttention:
    def test_the_patches_that_are_attended_to_are_kept(self):
        torch.manual_seed(0)
        model, x, y = attention_topmix.Transformer(), torch.rand(6, 1, 8, 8), torch.arange(6)
        saliency = model.saliency(x)
        assert saliency.shape == (6, 8, 8)
        assert torch.equal(saliency, saliency[:, ::2, ::2].repeat_interleave(2, 1).repeat_interleave(2, 2))
        plain = MultiMix(attention_topmix.TopMix(grid=4), num_mixes=2, num_classes=10)
        found, expected = (
            mix.run(model, x, y, generator=torch.Generator().manual_seed(1), **more)
            for mix, more in (
                (attention_topmix.Attended(plain.method, num_mixes=2, num_classes=10), {}),
                (plain, {"saliency": saliency}),
            )
        )
        torch.testing.assert_close(found, expected)
        shares = found[1] * 16  # whole patches of sixteen
        torch.testing.assert_close(shares, shares.round())


class TestMultiLabel:
    def test_labels_are_the_digits_that_are_there(self):
        digits = torch.arange(1, 11).float()[:, None, None].expand(10, 8, 8)
        split = multi_label.images(digits, torch.arange(10), 200, seed=0)
        for image, label in zip(split.x[:, 0], split.y, strict=True):
            shown = {int(value) - 1 for value in image[0, ::8].tolist() if value}
            assert shown == set(label.nonzero().flatten().tolist())
        assert set(split.y.sum(1).tolist()) <= {1.0, 2.0, 3.0, 4.0}


class TestVideo:
    def test_frames_move_the_way_that_the_label_says(self, monkeypatch):
        monkeypatch.setattr(video, "NOISE", 0.0)
        split = video.clips(torch.eye(8)[None].repeat(40, 1, 1), seed=0)
        assert split.x.shape == (40, 1, video.FRAMES, video.SIZE, video.SIZE)
        for clip, way in zip(split.x[:, 0], split.y.tolist(), strict=True):
            steps = [torch.roll(clip[0], (t * video.WAYS[way][0], t * video.WAYS[way][1]), (0, 1)) for t in range(8)]
            assert torch.equal(torch.stack(steps), clip)


class TestSeries:
    def write(self, folder):
        for name in ("OSULeaf", "ItalyPowerDemand", "JapaneseVowels"):
            (folder / name).mkdir(parents=True)
            for split in ("TRAIN", "TEST"):
                lines = [f"{i},{i + 1},3:{i},1,1:{'a' if i % 2 else 'b'}" for i in range(7)] + ["9:9:a"]
                (folder / name / f"{name}_{split}.ts").write_text("\n".join(["#x", "@data", *lines]))

    def test_it_runs_on_files_with_series_of_unequal_length(self, monkeypatch, tmp_path):
        self.write(tmp_path / "data")
        found = tables(series, monkeypatch, tmp_path, "--data", tmp_path / "data")
        assert [table["title"] for table in found] == ["OSULeaf", "ItalyPowerDemand", "JapaneseVowels"]

    def test_the_last_channel_says_where_there_is_something(self):
        found = series.padded([torch.ones(2, 3), torch.full((2, 5), 2.0)], length=4)
        assert found.tolist() == [
            [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0]],
            [[2, 2, 2, 2], [2, 2, 2, 2], [1, 1, 1, 1]],
        ]

    def test_a_folder_without_the_files_is_refused(self, monkeypatch, tmp_path):
        with pytest.raises(SystemExit, match=r"data must be a folder with OSULeaf/OSULeaf_TRAIN\.ts"):
            tables(series, monkeypatch, tmp_path, "--data", tmp_path)


class TestGraphs:
    def test_graphs_are_read_with_their_edges(self, tmp_path):
        (tmp_path / "x.txt").write_text(TINY_GRAPHS)
        found = graphs.read(tmp_path / "x.txt")
        assert found.first.tolist() == [0, 2, 5, 7, 10, 12, 15]
        assert found.edges[1].T.tolist() == [[1, 0], [2, 0], [0, 1], [0, 2]]
        assert found.labels.tolist() == [0, 1] * 3

    def test_numbers_after_the_neighbours_are_not_neighbours(self, tmp_path):
        (tmp_path / "x.txt").write_text("1\n2 0\n0 1 1 0.5 -2e-3\n3 1 0 1.5 7\n")
        found = graphs.read(tmp_path / "x.txt")
        assert found.tags.tolist() == [0, 1]
        assert found.edges[0].T.tolist() == [[1, 0], [0, 1]]

    def test_a_batch_of_graphs_is_each_of_them_alone(self, tmp_path):
        (tmp_path / "x.txt").write_text(TINY_GRAPHS)
        model = graphs.GIN(graphs.read(tmp_path / "x.txt")).eval()
        numbers = torch.tensor([3, 0, 1])
        torch.testing.assert_close(model(numbers), torch.cat([model(n[None]) for n in numbers]))
        assert not torch.allclose(model(numbers)[0], model(numbers)[1])

    def test_it_runs_on_files_and_refuses_a_folder_without(self, monkeypatch, tmp_path):
        with pytest.raises(SystemExit, match=r"folder must have MUTAG\.txt"):
            tables(graphs, monkeypatch, tmp_path, tmp_path)
        (tmp_path / "MUTAG.txt").write_text(TINY_GRAPHS)
        (tmp_path / "PROTEINS").mkdir()
        (tmp_path / "PROTEINS" / "PROTEINS.txt").write_text(TINY_GRAPHS)
        assert len(tables(graphs, monkeypatch, tmp_path, tmp_path)) == 2


class TestText:
    def test_padding_changes_nothing_and_mixing_looks_where_either_has_a_word(self):
        torch.manual_seed(0)
        model = text.Transformer().eval()
        model.encoder.layer.eval()
        words = torch.zeros(2, text.LENGTH, dtype=torch.int64)
        words[0, :3], words[1, :9] = torch.tensor([5, 6, 7]), torch.arange(10, 19)
        features = model.embed(words)
        filled = features.clone()
        filled[0, 3:, : text.WIDTH] = 9.0  # what lies at padding must not matter
        torch.testing.assert_close(model.encoder(features)[0], model.encoder(filled)[0])
        half = features.mean(0, keepdim=True)
        filled = half.clone()
        filled[0, 8, 0] += 1.0  # the second sentence has a word there
        assert not torch.allclose(model.encoder(half), model.encoder(filled))

    def test_a_file_that_is_not_there_is_refused(self, monkeypatch, tmp_path):
        with pytest.raises(SystemExit, match="file must be vaderSentiment's source"):
            tables(text, monkeypatch, tmp_path, tmp_path / "none.tar.gz")


def test_numbers_and_categories_meet_before_the_body():
    table = tabular.Table(numbers=2, categories=[3, 4])
    x = torch.tensor([[0.5, -1.0, 2.0, 3.0], [0.5, -1.0, 0.0, 3.0]])
    assert table(x).shape == (2, 2)
    assert not torch.allclose(*table(x))


def test_bad_options_are_refused_in_a_line(monkeypatch, capsys):
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", ["video.py", "--seeds", "1"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLES / "video.py"), run_name="__main__")
    assert ended.value.code == 2
    assert "seeds must be >= 2 and steps >= 1, got seeds=1" in capsys.readouterr().err


def test_the_page_has_the_table_of_what_the_examples_wrote():
    table = overview.page()
    assert sum(line.startswith("| ") for line in table.splitlines()) == 33
    assert table == (EXAMPLES / "results" / "overview.md").read_text()
