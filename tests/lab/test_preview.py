"""The path between two samples as a picture."""

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from multimix import CutMix, MixUp, MultiMix, PuzzleMix
from multimix.lab.core.errors import UsageError
from multimix.lab.preview.lines import runs
from multimix.lab.preview.make import preview, read_pair
from multimix.lab.preview.path import make_path
from multimix.lab.preview.puzzle_tiles import local_contrast
from multimix.lab.preview.settings import PreviewSettings
from multimix.lab.preview.tiles import outline


def image(path, size, mode, value=0):
    Image.new(mode, size, value).save(path)
    return str(path)


def written(tmp_path):
    with Image.open(tmp_path / "new" / "path.png") as picture:
        return np.asarray(picture.convert("L")) / 255


def settings(a, b, tmp_path, **changes):
    return PreviewSettings(file_a=a, file_b=b, **{"out": str(tmp_path / "new" / "path.png")} | changes)


METHODS = ["mixup", "cutmix", "none", "fmix", "gridmix", "smoothmix", "resizemix", "saliencymix"]
PICTURES = [((30, 20), "RGB"), ((16, 16), "L"), ((5, 40), "RGBA"), ((8, 8), "1")]


@pytest.mark.parametrize(
    ("method", "size", "mode"),  # a file is read before a method is asked: each with one of the other is enough
    [(method, *PICTURES[number % 4]) for number, method in enumerate(METHODS)],
)
def test_any_picture_of_any_shape(tmp_path, method, size, mode):
    a, b = image(tmp_path / "a.png", size, mode), image(tmp_path / "b.png", size, mode)
    (line,) = preview(settings(a, b, tmp_path, method=method, num_mixes=3))
    assert written(tmp_path).shape[1] > 300
    weights = [float(word) for word in line.partition("a.png: ")[2].split(", ")]
    assert len(weights) == (3 if method == "none" else 5)
    assert (weights[0], weights[-1]) == (1.0, 0.0)
    assert weights == sorted(weights, reverse=True)


@pytest.mark.parametrize("size", [(30, 20), (8, 8)])
def test_puzzle_mix_shows_saliency_masks_and_moves(tmp_path, size):
    a, b = (str(tmp_path / f"{name}.png") for name in "ab")
    for path, seed in ((a, 0), (b, 1)):
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, size[::-1], dtype=np.uint8)).save(path)
    note, _ = preview(settings(a, b, tmp_path, method="puzzlemix", num_mixes=3))
    assert "saliency is local contrast here" in note
    plain = settings(a, b, tmp_path, method="cutmix", num_mixes=3)
    tall = written(tmp_path).shape[0]
    preview(plain)
    assert tall > 2 * written(tmp_path).shape[0], "three rows instead of one"


def test_the_picture_shows_the_weights_it_names(tmp_path):
    a, b = image(tmp_path / "a.png", (20, 20), "L", 0), image(tmp_path / "b.png", (20, 20), "L", 255)
    (line,) = preview(settings(a, b, tmp_path, method="mixup", num_mixes=2))
    shown = {round(1 - float(word), 2) for word in line.partition("a.png: ")[2].split(", ")}
    values, counts = np.unique(written(tmp_path).round(2), return_counts=True)
    tiles = set(values[counts > 20_000].tolist())  # greys that fill a whole tile, or the paper (1.0)
    assert all(min(abs(grey - tile) for tile in tiles) < 0.02 for grey in shown)


def test_another_size_or_mode_is_adapted_and_said(tmp_path):
    a, b = image(tmp_path / "a.png", (30, 20), "RGB"), image(tmp_path / "b.png", (7, 9), "L")
    notes = preview(settings(a, b, tmp_path))
    assert "was resized from 7 × 9 to 30 × 20" in notes[0]
    assert (tmp_path / "new" / "path.png").exists()


def test_what_cannot_be_previewed_is_explained(tmp_path):
    a = image(tmp_path / "a.png", (8, 8), "L")
    text = tmp_path / "b.png"
    text.write_text("no picture")
    with pytest.raises(
        UsageError, match=r"must be a readable picture, sound .* or series .*, got .*b\.png'; reading it failed"
    ):
        preview(settings(a, str(text), tmp_path))
    with pytest.raises(UsageError, match="it is a folder"):
        preview(settings(a, str(tmp_path), tmp_path))
    with pytest.raises(UsageError, match=r"no model to mix inside of.*got method='manifold'; choose another method$"):
        preview(settings(a, a, tmp_path, method="manifold"))


RATE = 8000


def sound(path, seconds, rate=RATE, hertz=440.0):
    soundfile.write(path, np.sin(np.arange(int(seconds * rate)) * hertz * 6.28 / rate) / 2, rate, subtype="PCM_16")
    return str(path)


@pytest.mark.parametrize(
    ("method", "form", "suffix"),
    [
        ("mixup", "spectrogram", "flac"),
        ("mixup", "waveform", "wav"),
        ("cutmix", "spectrogram", "wav"),
        ("cutmix", "waveform", "flac"),
        ("puzzlemix", "spectrogram", "flac"),
        ("puzzlemix", "waveform", "flac"),
        ("none", "spectrogram", "wav"),
        ("none", "waveform", "flac"),
        ("puzzlemix", None, "wav"),
    ],
)
def test_sounds(tmp_path, suffix, method, form):
    a = sound(tmp_path / f"a.{suffix}", 0.3)
    b = sound(tmp_path / f"b.{suffix}", 0.2, hertz=1000)
    notes = preview(settings(a, b, tmp_path, method=method, form=form, num_mixes=3))
    assert notes[0] == f"{b} was padded with silence from 0.20 s to 0.30 s, as long as {a}"
    assert any("saliency is local contrast" in note for note in notes) == (method == "puzzlemix")
    assert written(tmp_path).std() > 0.05
    kind = "lines" if form == "waveform" else "spectrogram"
    assert read_pair(settings(a, b, tmp_path, form=form)).kind == kind


def test_a_longer_sound_is_cut_to_the_first_and_both_to_ten_seconds(tmp_path):
    a, b = sound(tmp_path / "a.wav", 11), sound(tmp_path / "b.wav", 12)
    pair = read_pair(settings(a, b, tmp_path, form="waveform"))
    assert pair.x.shape == (2, 1, 10 * RATE)
    assert pair.notes == (
        f"{a} was cut from 11.00 s to 10.00 s, the most that is shown",
        f"{b} was cut from 12.00 s to 10.00 s, as long as {a}",
    )


def test_series_are_read_as_they_are_written(tmp_path):
    (tmp_path / "a.csv").write_text("u,v\n1,10\n2,20\n3,30\n")
    (tmp_path / "b.csv").write_text("4,40\n5,50\n")
    pair = read_pair(settings(str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), tmp_path))
    assert pair.x.tolist() == [[[1, 2, 3], [10, 20, 30]], [[4, 5, 5], [40, 50, 50]]]
    assert pair.notes[0].endswith(
        "b.csv was padded with its last values from 2 to 3 moments, as long as " + str(tmp_path / "a.csv")
    )
    (tmp_path / "one.csv").write_text("1,2,3,4\n")
    np.save(tmp_path / "two.npy", np.array([5, 6, 7, 8, 9]))
    pair = read_pair(settings(str(tmp_path / "one.csv"), str(tmp_path / "two.npy"), tmp_path))
    assert pair.x.tolist() == [[[1, 2, 3, 4]], [[5, 6, 7, 8]]]


@pytest.mark.parametrize("method", ["mixup", "cutmix", "puzzlemix"])
def test_series_are_lines_in_the_colours_of_where_they_come_from(tmp_path, method):
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(ord(name)).normal(size=(2, 64)))
    a, b = (str(tmp_path / f"{name}.npy") for name in "ab")
    preview(
        settings(
            a, b, tmp_path, method=method, num_mixes=3, method_options={"grid": 8} if method == "puzzlemix" else {}
        )
    )
    with Image.open(tmp_path / "new" / "path.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(int)
    blue, orange = (np.abs(pixels - colour).sum(1).min() < 30 for colour in ((31, 119, 180), (255, 127, 14)))
    assert blue
    assert orange


@pytest.mark.parametrize("method", [MixUp(), CutMix(), PuzzleMix(grid=4)])
@pytest.mark.parametrize("spatial", [(40,), (12, 20)])
def test_shares_say_where_each_position_comes_from(method, spatial):
    x = torch.rand(2, 3, *spatial)
    x[1] += 10
    mix = MultiMix(method, num_mixes=4, num_classes=2)
    path = make_path(mix, x, local_contrast(x), torch.Generator().manual_seed(0))
    assert path.shares.shape == (6, *spatial)
    assert torch.allclose(path.shares.flatten(1).mean(1), torch.tensor(path.weights), atol=1e-5)
    assert ((path.samples.mean(1) - 0.5 - 10 * (1 - path.shares)).abs() < 0.6).all()


def test_the_outline_is_where_the_share_changes():
    share = np.ones((4, 5))
    share[1:3, 1:3] = 0
    segments = {tuple(map(tuple, segment)) for segment in outline(share).get_path().vertices.reshape(-1, 2, 2)}
    assert len(segments) == 8
    assert ((0.5, 0.5), (0.5, 1.5)) in segments  # left of the box
    assert not len(outline(np.full((4, 5), 0.4)).get_path().vertices)


def test_runs_of_one_share():
    assert runs(np.array([1.0, 1.0, 0.0, 0.0, 0.5])) == [(0, 2, 1.0), (2, 4, 0.0), (4, 5, 0.5)]
    assert runs(np.full(3, 0.25)) == [(0, 3, 0.25)]


def test_files_that_do_not_go_together_or_cannot_be_read_are_explained(tmp_path):
    wav, other_rate = sound(tmp_path / "a.wav", 0.3), sound(tmp_path / "b.wav", 0.3, rate=16_000)
    short = sound(tmp_path / "c.wav", 0.01)
    (tmp_path / "text.wav").write_text("no sound")
    contents = {"gap": "1\nnan\n", "word": "1\n2\nthree\n", "empty": "", "single": "1\n", "uneven": "1,2\n3\n"}
    csv = {name: tmp_path / f"{name}.csv" for name in (*contents, "two")}
    for name, content in contents.items():
        csv[name].write_text(content)
    csv["two"].write_text("1,2\n3,4\n")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "image.npy", np.zeros((28, 28)))
    np.save(tmp_path / "one.npy", np.zeros(5))
    expected = [
        (wav, csv["two"], "both files must be pictures, sounds or series"),
        (wav, other_rate, "both sounds must have as many samples a second, got 8000 in"),
        (short, wav, "a sound must last a fiftieth of a second, got 0.01 s in"),
        (tmp_path / "text.wav", wav, "text.wav'; reading it failed: no sound"),
        (wav, tmp_path / "none.wav", "none.wav'; there is no such file"),
        (csv["gap"], csv["two"], "a series must be finite, got nan or inf in"),
        (csv["word"], csv["two"], "a series must be a readable file, got"),
        (csv["empty"], csv["two"], "empty.csv'; reading it failed: it is empty"),
        (csv["single"], csv["two"], "must have 1 to 8 channels and at least 2 moments, got shape (1, 1)"),
        (csv["uneven"], csv["two"], "a series must be a readable file, got"),
        (csv["two"], tmp_path / "one.npy", "both series must have as many channels, got 2 in"),
        (tmp_path / "image.npy", csv["two"], "got shape (28, 28) in"),
        (tmp_path / "objects.npy", csv["two"], "a series must be a readable file, got"),
        (csv["two"], tmp_path / "none.csv", "none.csv'; there is no such file"),
    ]
    for a, b, message in expected:
        with pytest.raises(UsageError) as raised:
            preview(settings(str(a), str(b), tmp_path))
        assert message in str(raised.value)
    with pytest.raises(UsageError, match=r"form is for sounds, got form='waveform' for .*two\.csv'; leave it out"):
        preview(settings(str(csv["two"]), str(csv["two"]), tmp_path, form="waveform"))
    with pytest.raises(UsageError, match=r"form must be one of spectrogram, waveform"):
        settings(wav, wav, tmp_path, form="picture")
    assert not (tmp_path / "new").exists()


def test_the_window_of_local_contrast_is_a_square():
    x = torch.rand(2, 3, 40, 56)
    changes = sum(x.diff(dim=axis, append=x.narrow(axis, -1, 1)).square() for axis in (2, 3)).mean(1, keepdim=True)
    expected = torch.nn.functional.avg_pool2d(changes, 5, stride=1, padding=2, count_include_pad=False)[:, 0]
    torch.testing.assert_close(local_contrast(x), expected)


def test_a_bar_tells_how_far_a_picture_is(tmp_path):
    a, b = image(tmp_path / "a.png", (20, 10), "L"), image(tmp_path / "b.png", (20, 10), "L", 255)
    moved = []
    preview(settings(a, b, tmp_path, num_mixes=3), lambda what, share: moved.append((what, share)))
    assert [what for what, _ in moved] == ["reading", "mixing", "drawing", "done"]
    assert sum(share for _, share in moved) == pytest.approx(1)
