"""The path between two images as a picture."""

import numpy as np
import pytest
from PIL import Image

from multimix.lab.config import PreviewSettings
from multimix.lab.errors import UsageError
from multimix.lab.preview import preview


def image(path, size, mode, value=0):
    Image.new(mode, size, value).save(path)
    return str(path)


def written(tmp_path):
    with Image.open(tmp_path / "new" / "path.png") as picture:
        return np.asarray(picture.convert("L")) / 255


def settings(a, b, tmp_path, **changes):
    return PreviewSettings(image_a=a, image_b=b, **{"out": str(tmp_path / "new" / "path.png")} | changes)


@pytest.mark.parametrize(
    "method", ["mixup", "cutmix", "none", "fmix", "gridmix", "smoothmix", "resizemix", "saliencymix"]
)
@pytest.mark.parametrize(("size", "mode"), [((30, 20), "RGB"), ((16, 16), "L"), ((5, 40), "RGBA"), ((8, 8), "1")])
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
    with pytest.raises(UsageError, match=r"must be a readable picture file, got .*b\.png'; reading it failed"):
        preview(settings(a, str(text), tmp_path))
    with pytest.raises(UsageError, match="it is a folder"):
        preview(settings(a, str(tmp_path), tmp_path))
    with pytest.raises(UsageError, match=r"no model to mix inside of .*got method='manifold'; choose another"):
        preview(settings(a, a, tmp_path, method="manifold"))
