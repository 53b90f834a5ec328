"""MixTransform among torchvision's own transforms, on tensors and tv_tensors."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset, default_collate
from torchvision import tv_tensors
from torchvision.transforms import v2

from multimix import CutMix, MixUp, MultiMix
from multimix.adapters.torchvision import MixTransform

Y = torch.arange(8) % 4
X = F.one_hot(Y, 4).float()[:, :, None, None].expand(8, 4, 6, 6).contiguous()


def transform(method="cutmix", num_mixes=3, **settings) -> MixTransform:
    return MixTransform(MultiMix(method, num_mixes=num_mixes, num_classes=4, **settings))


@pytest.mark.parametrize("wrap", [v2.Compose, v2.RandomChoice], ids=["Compose", "RandomChoice"])
@pytest.mark.parametrize("one_batch", [True, False], ids=["one batch", "two arguments"])
def test_composes(wrap, one_batch):
    both = wrap([transform()])
    images, labels = both([X, Y]) if one_batch else both(X, Y)
    assert images.shape == (24, 4, 6, 6)
    torch.testing.assert_close(images.mean((2, 3)), labels)


def test_random_choice_between_theirs_and_ours():
    choice = v2.RandomChoice([transform(MixUp(), num_mixes=2), v2.CutMix(num_classes=4)])
    rows = {len(choice(X, Y)[0]) for _ in range(30)}
    assert rows == {8, 16}


def test_after_and_in_the_loader():
    data = TensorDataset(X, Y)
    both = v2.RandomChoice([transform(MixUp()), transform(CutMix())])
    inside = DataLoader(data, batch_size=4, collate_fn=lambda samples: both(*default_collate(samples)))
    after = [both(images, labels) for images, labels in DataLoader(data, batch_size=4)]
    for batches in (list(inside), after):
        assert [len(images) for images, _ in batches] == [12, 12]
        for images, labels in batches:
            torch.testing.assert_close(images.mean((2, 3)), labels)


def test_images_stay_images():
    images, labels = transform()(tv_tensors.Image(X), Y)
    assert type(images) is tv_tensors.Image
    assert type(labels) is torch.Tensor
    torch.testing.assert_close(images.mean((2, 3)), labels)
    resized = v2.Resize(3)(images)  # and go on being treated as images
    assert type(resized) is tv_tensors.Image
    assert resized.shape == (24, 4, 3, 3)


def test_frames_of_a_video_are_cut_alike():
    # Height and width only, as v2.CutMix does: frame by frame the same box, all channels.
    video = tv_tensors.Video(X[:, None].expand(8, 5, 4, 6, 6).contiguous())
    images, labels = transform()(video, Y)
    assert type(images) is tv_tensors.Video
    assert images.shape == (24, 5, 4, 6, 6)
    assert (images == images[:, :1]).all()
    torch.testing.assert_close(images[:, 0].mean((2, 3)), labels)
    assert ((images.sum(2) - 1).abs() < 1e-6).all()  # every position shows one whole colour


SIZE = {"canvas_size": (6, 6)}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: tv_tensors.BoundingBoxes(torch.rand(8, 4), format="XYXY", **SIZE),
        lambda: tv_tensors.KeyPoints(torch.rand(8, 1, 2), **SIZE),
    ],
    ids=["BoundingBoxes", "KeyPoints"],
)
def test_coordinates_are_refused_by_their_type(wrong):
    wrong = wrong()
    message = f"MixTransform mixes images, videos and masks, got {type(wrong).__name__}; leave it out"
    with pytest.raises(TypeError, match=message):
        MixTransform(MultiMix("mixup"))(X, wrong)


def test_masks_follow_the_pixels():
    mask = tv_tensors.Mask(X.argmax(1))
    for settings in ({}, {"num_classes": 4}):
        with pytest.raises(ValueError, match=r"dense_targets must be True for masks .* got Mask"):
            MixTransform(MultiMix("cutmix", **settings))(X, mask)
    images, masks = transform(dense_targets=True)(tv_tensors.Image(X), mask)
    torch.testing.assert_close(masks, images.as_subclass(torch.Tensor))
    with pytest.raises(ValueError, match=r"got x: \(8, 4, 6, 6\), y: \(8, 1, 6, 6\); pass y.squeeze\(1\)"):
        transform(dense_targets=True)(X, tv_tensors.Mask(mask[:, None]))


def test_bytes_can_be_cut():
    images, labels = transform()(tv_tensors.Image((X * 255).to(torch.uint8)), Y)
    assert images.dtype == torch.uint8
    torch.testing.assert_close(images.float().mean((2, 3)) / 255, labels)
    with pytest.raises(ValueError, match="x must be floating point, because MixUp averages values"):
        transform("mixup")(tv_tensors.Image((X * 255).to(torch.uint8)), Y)


def test_the_same_input_and_output_forms_as_theirs():
    theirs, ours = v2.CutMix(num_classes=4), transform(num_mixes=1)
    soft = F.one_hot(Y, 4).float()
    for labels in (Y, soft):
        for batch in ((X, labels), ([X, labels],)):
            a, b = theirs(*batch), ours(*batch)
            assert type(a) is type(b)
            assert [(t.shape, t.dtype) for t in a] == [(t.shape, t.dtype) for t in b]


def test_mixup_equal_under_the_same_draws(monkeypatch):
    # v2.MixUp mixes each sample with the one before it, by one coefficient.
    theirs = v2.MixUp(num_classes=4)
    drawn = {}
    make = theirs.make_params
    monkeypatch.setattr(theirs, "make_params", lambda flat: drawn.update(make(flat)) or drawn)
    x = torch.randn(8, 3, 6, 6)
    images, labels = theirs(x, Y)
    from multimix import Plan
    from multimix.masks import Constant

    lam = torch.full((1, 8), drawn["lam"], dtype=torch.float64)
    plan = Plan(lam, lam.float(), torch.arange(8).roll(1), Constant(lam.float()), 8)
    x_mix, y_mix = transform("mixup", num_mixes=1).mix.apply(plan, x, Y)
    torch.testing.assert_close(x_mix, images, atol=1e-6, rtol=0)
    torch.testing.assert_close(y_mix, labels, atol=1e-6, rtol=0)


def test_cutmix_equal_under_the_same_draws(monkeypatch):
    theirs = v2.CutMix(num_classes=4)
    drawn = {}
    make = theirs.make_params
    monkeypatch.setattr(theirs, "make_params", lambda flat: drawn.update(make(flat)) or drawn)
    from multimix import Plan
    from multimix.masks import Boxes

    x = torch.randn(8, 3, 9, 14)
    for _ in range(10):
        images, labels = theirs(x, Y)
        x1, y1, x2, y2 = drawn["box"]
        mask = Boxes(torch.tensor([y1, x1]).expand(1, 8, 2), torch.tensor([y2, x2]).expand(1, 8, 2), (9, 14))
        weight = mask.weight()
        plan = Plan(weight.double(), weight, torch.arange(8).roll(1), mask, 8)
        x_mix, y_mix = transform("cutmix", num_mixes=1).mix.apply(plan, x, Y)
        assert torch.equal(x_mix, images)
        torch.testing.assert_close(y_mix, labels, atol=1e-6, rtol=0)
