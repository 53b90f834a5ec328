"""Confidence at home and abroad."""

import pytest
import torch
from PIL import Image
from torch import nn

from multimix.lab.core.errors import UsageError
from multimix.lab.data import Data, HeldSplit, open_data
from multimix.lab.data.prepare import Standardise
from multimix.lab.evaluate.evaluators import build_evaluators
from multimix.lab.evaluate.ood import OutOfDistribution, auroc
from multimix.lab.evaluate.other_data import as_pixels_of
from multimix.lab.evaluate.settings import EvaluateSettings


def ood(**values):
    return OutOfDistribution(**{"ood_data": "noise", **values})


@pytest.mark.parametrize(
    ("inside", "outside", "expected"),
    [
        ([0.9, 0.8], [0.7, 0.1, 0.2], 1.0),
        ([0.1, 0.2], [0.7, 0.8, 0.9], 0.0),
        ([0.3, 0.5, 0.9], [0.3, 0.5, 0.9], 0.5),
        ([1.0, 1.0], [1.0, 1.0, 1.0], 0.5),
        # each 1.0 against 1.0, 0.5, 0.5: half a win and two; 0.5: a loss and two half wins; of nine
        ([1.0, 1.0, 0.5], [1.0, 0.5, 0.5], 6 / 9),
    ],
)
def test_auroc_is_the_share_of_pairs_in_the_right_order(inside, outside, expected):
    assert auroc(torch.tensor(inside).double(), torch.tensor(outside).double()) == pytest.approx(expected)


def test_colour_becomes_grey_as_the_eye_sees_it():
    pixels = torch.stack([torch.full((4, 4), value) for value in (1.0, 0.5, 0.0)]).unsqueeze(0)
    grey = as_pixels_of(pixels, torch.Size([1, 4, 4]))
    torch.testing.assert_close(grey, torch.full((1, 1, 4, 4), 0.299 + 0.587 / 2))


def test_grey_becomes_colour_in_all_channels():
    pixels = torch.rand(2, 1, 4, 4)
    assert torch.equal(as_pixels_of(pixels, torch.Size([3, 4, 4])), pixels.repeat(1, 3, 1, 1))


def test_images_are_resized_within_their_range():
    pixels = torch.rand(2, 3, 8, 8)
    for side in (5, 20):
        resized = as_pixels_of(pixels, torch.Size([3, side, side]))
        assert resized.shape == (2, 3, side, side)
        assert pixels.min() - 1e-6 <= resized.min() < resized.max() <= pixels.max() + 1e-6
    halves = torch.tensor([0.0, 1.0]).repeat_interleave(8).expand(1, 1, 16, 16)
    small = as_pixels_of(halves, torch.Size([1, 2, 2]))[0, 0, 0]
    assert small[0] < 0.2 < 0.8 < small[1]
    torch.testing.assert_close(small.sum(), torch.tensor(1.0))


def test_a_smaller_image_shows_all_pixels_of_a_larger_one():
    stripes = torch.tensor([0.0, 1.0, 0.0]).repeat(9).expand(1, 1, 27, 27)  # every pixel that a plain reading meets
    small = as_pixels_of(stripes, torch.Size([1, 9, 9]))
    torch.testing.assert_close(small, torch.full_like(small, 1 / 3), atol=0.15, rtol=0)


class SureOfBright(nn.Module):
    """Surer of class 0, the brighter an image is; of what the normalization makes of it."""

    def forward(self, x):
        assert not self.training
        bright = (x * 0.2 + 0.3).flatten(1).mean(dim=1, keepdim=True)
        return torch.cat([bright, torch.zeros_like(bright)], dim=1)


def data(pixels):
    split = HeldSplit(pixels, torch.arange(len(pixels)) % 2, Standardise((0.3,), (0.2,)))
    return Data(split, split, 2)


def test_noise_is_uniform_in_the_pixels():
    # Means of 1,024 uniform pixels lie within 0.5 +- 0.05 (5 sigma).
    for value, expected in ((0.56, 1.0), (0.44, 0.0)):
        values = ood()(SureOfBright().train(), data(torch.full((30, 1, 32, 32), value)))
        assert values == {"ood_auroc": expected}


def test_noise_depends_on_the_seed_alone():
    home = data(torch.full((50, 1, 4, 4), 0.5))
    values = []
    for seed in (0, 0, 1):
        torch.rand(1)
        values.append(ood(seed=seed)(SureOfBright(), home)["ood_auroc"])
    assert values[0] == values[1] != values[2]


def test_the_same_samples_cannot_be_told_apart():
    # Digits have a normalization of their own; as pixels of this data they must look the same.
    home = open_data("digits").test
    values = ood(ood_data="digits")(SureOfBright(), data(home.x))
    assert values["ood_auroc"] == pytest.approx(0.5, abs=0.005)


def test_what_is_no_image_is_refused():
    digits, points = open_data("digits"), open_data("synthetic")
    ood().check(digits)
    ood(ood_data="digits").check(digits)
    with pytest.raises(UsageError, match=r"ood needs images, got samples of shape \(2,\) .* as the run's data"):
        ood().check(points)
    with pytest.raises(UsageError, match=r"ood needs images, got samples of shape \(2,\) .* as ood_data"):
        ood(ood_data="synthetic").check(digits)
    with pytest.raises(UsageError, match="cub-200-2011 must be a copy"):
        ood(ood_data="cub-200-2011").check(digits)


def test_images_in_a_folder_are_cropped_by_its_options(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for side in range(10, 20):
            Image.new("RGB", (side, side), (side, 0, 0)).save(tmp_path / name / f"{side}.png")
    place = {"ood_data": f"folder:{tmp_path}"}
    with pytest.raises(UsageError, match=r"must have one size .* options are --ood-data-options.NAME"):
        ood(**place).check(open_data("digits"))
    values = ood(**place, ood_data_options={"size": 8})(SureOfBright(), data(torch.full((3, 1, 4, 4), 0.5)))
    assert values == {"ood_auroc": 1.0}  # all of the folder is darker


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ood_data": None}, "ood needs another data set, got ood_data=None; give --ood-data"),
        ({"ood_data": "nois"}, "got ood_data='nois'; did you mean \"noise\"?"),
        ({"ood_data": "folder:"}, "folder: must be followed by a path"),
        ({"ood_data": "fashion-mnist", "ood_data_options": {"pading": 1}}, 'did you mean "padding"?'),
    ],
)
def test_settings_are_checked_when_they_are_made(values, message):
    given = {"runs": ("run",), "evaluators": ("ood",), "ood_data": "noise", **values}
    with pytest.raises(UsageError) as error:
        build_evaluators(EvaluateSettings(**given))
    assert message in str(error.value)
