"""The drop-in for timm.data.Mixup by itself; tests/bridges/test_timm.py compares it with timm's."""

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from multimix.adapters.timm import Mixup

PLAIN = {"label_smoothing": 0.0, "num_classes": 4}


def planes(n: int, size: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Images whose mean colour is their label."""
    y = torch.arange(n) % 4
    return F.one_hot(y, 4).float()[:, :, None, None].expand(n, 4, size, size).contiguous(), y


def kinds(x_mix: torch.Tensor, x: torch.Tensor) -> list[str]:
    """For each row: copied, blended (new values) or cut (old values, two labels)."""
    share = x_mix.mean((2, 3)).amax(1)
    blended = ((x_mix != 0) & (x_mix != 1)).flatten(1).any(1)
    return ["blend" if b else "copy" if s == 1 else "cut" for b, s in zip(blended, share, strict=True)]


@pytest.mark.parametrize("mode", ["batch", "elem"])
@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("num_mixes", [1, 3])
def test_labels_follow_pixels_in_any_batch(mode, size, num_mixes):
    mix = Mixup(0.8, 1.0, prob=0.7, mode=mode, num_mixes=num_mixes, **PLAIN)
    x, y = planes(size)
    before = x.clone(), y.clone()
    for _ in range(20):
        x_mix, y_mix = mix(x, y)
        torch.testing.assert_close(x_mix.mean((2, 3)), y_mix)
        assert len(x_mix) in ((size, num_mixes * size) if mode == "batch" else (num_mixes * size,))
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


def test_rows_are_mix_major():
    mix = Mixup(0.8, 1.0, mode="elem", num_mixes=3, **PLAIN)
    x, y = planes(8)
    _, y_mix = mix(x, y)
    own = y_mix.view(3, 8, 4)[:, torch.arange(8), y]
    assert (own[:-1] >= own[1:]).all()  # an ordered path from each sample to its partner
    assert len(mix.draw(x)) == 2


@pytest.mark.parametrize("prob", [0.0, 0.6, 1.0])
def test_how_often_a_batch_is_mixed_and_how(prob):
    mix = Mixup(1.0, 1.0, prob=prob, switch_prob=0.25, num_mixes=2, **PLAIN)
    x, _ = planes(4)
    drawn = [mix.draw(x)[0] for _ in range(600)]
    unmixed = sum(plan.num_mixes == 1 for plan in drawn) / 600
    cut = sum(type(plan.mask).__name__ == "Boxes" for plan in drawn) / 600
    assert unmixed == pytest.approx(1 - prob, abs=0.06)
    assert cut == pytest.approx(0.25 * prob, abs=0.06)


@pytest.mark.parametrize("prob", [0.0, 0.6, 1.0])
def test_how_often_a_sample_is_mixed_and_how(prob):
    mix = Mixup(1.0, 1.0, prob=prob, switch_prob=0.25, mode="elem", **PLAIN)
    x, _ = planes(900)
    plans = mix.draw(x)
    pairs = torch.cat([torch.arange(900) if plan.sample is None else plan.sample for plan in plans])
    assert pairs.sort().values.equal(torch.arange(900))
    share = {"Boxes": 0.0, "blended": 0.0, "copied": 0.0}
    for plan in plans:
        kind = type(plan.mask).__name__
        kind = kind if kind == "Boxes" else "copied" if (plan.lam == 1).all() else "blended"
        share[kind] += plan.num_pairs / 900
    assert share["copied"] == pytest.approx(1 - prob, abs=0.06)
    assert share["Boxes"] == pytest.approx(0.25 * prob, abs=0.06)


def test_one_coefficient_and_box_for_a_batch_own_ones_for_elements():
    x, _ = planes(8)
    for alphas in ((1.0, 0.0), (0.0, 1.0)):
        together = Mixup(*alphas, num_mixes=2, **PLAIN).draw(x)[0].lam
        apart = Mixup(*alphas, num_mixes=2, mode="elem", **PLAIN).draw(x)[0].lam
        assert (together == together[:, :1]).all()
        assert len(apart[0].unique()) == 8


def test_an_alpha_of_zero_switches_off():
    x, y = planes(8)
    assert set(kinds(Mixup(0.0, 1.0, mode="elem", **PLAIN)(x, y)[0], x)) <= {"cut", "copy"}
    assert set(kinds(Mixup(1.0, 0.0, mode="elem", **PLAIN)(x, y)[0], x)) <= {"blend", "copy"}


@pytest.mark.parametrize("mode", ["batch", "elem"])
def test_what_is_switched_off_refuses_nothing(mode):
    y = torch.arange(8) % 4
    cut = Mixup(0.0, 1.0, num_classes=4, mode=mode, num_mixes=2)
    assert cut(torch.randint(0, 256, (8, 3, 6, 6), dtype=torch.uint8), y)[0].dtype == torch.uint8
    assert Mixup(1.0, 0.0, num_classes=4, mode=mode)(torch.rand(8), y)[0].shape == (8,)


@pytest.mark.parametrize("mode", ["batch", "elem"])
def test_unmixed_samples_beside_cut_ones_may_be_integers(mode):
    x, y = torch.randint(0, 256, (8, 3, 6, 6), dtype=torch.uint8), torch.arange(8)
    for _ in range(10):
        x_mix, y_mix = Mixup(0.0, 1.0, prob=0.5, num_classes=8, mode=mode, label_smoothing=0)(x, y)
        whole = y_mix.diagonal() == 1
        assert torch.equal(x_mix[whole], x[whole])


def test_the_memory_format_is_the_batchs():
    x, y = torch.rand(40, 3, 8, 8).contiguous(memory_format=torch.channels_last), torch.arange(40) % 4
    for mode in ("batch", "elem"):
        x_mix, _ = Mixup(1.0, 1.0, num_classes=4, mode=mode, num_mixes=2)(x, y)
        assert x_mix.is_contiguous(memory_format=torch.channels_last), mode


def test_labels_that_are_no_classes_are_refused_before_a_draw():
    x, before = torch.rand(8, 3, 6, 6), torch.get_rng_state()
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.1"):
        Mixup(num_classes=2)(x, torch.arange(8))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_it_mixed_is_known():
    mix, y = Mixup(num_classes=4), torch.rand(8, 4)
    with pytest.warns(UserWarning, match="x is mixed again, Mixup mixed it before"):
        mix(*mix(torch.rand(8, 3, 6, 6), y))


def test_switched_off_it_gives_the_batch_and_soft_targets():
    mix = Mixup(num_mixes=3, num_classes=4, label_smoothing=0.2)
    mix.mixup_enabled = False
    x, y = planes(5)
    x_out, y_out = mix(x, y)
    assert torch.equal(x_out, x)
    torch.testing.assert_close(y_out, F.one_hot(y, 4) * 0.8 + 0.05)


@pytest.mark.parametrize("mode", ["batch", "elem"])
def test_soft_and_multi_label_targets_keep_their_shape(mode):
    x, y = planes(8)
    soft = F.one_hot(y, 4).float()
    x_mix, y_mix = Mixup(mode=mode, num_mixes=2, **PLAIN)(x, soft)
    torch.testing.assert_close(x_mix.mean((2, 3)), y_mix)
    many = Mixup(mode=mode, num_mixes=2, num_classes=4, label_smoothing=0.2, multi_label=True)
    for targets in (soft, soft.bool(), soft.long()):
        x_mix, y_mix = many(x, targets)
        torch.testing.assert_close(x_mix.mean((2, 3)) * 0.8 + 0.1, y_mix)


def test_the_seed_is_torchs_and_no_other():
    mix = Mixup(1.0, 1.0, mode="elem", num_mixes=2, **PLAIN)
    x, y = planes(8)

    def mixed(torch_seed: int, numpy_seed: int) -> torch.Tensor:
        torch.manual_seed(torch_seed)
        np.random.seed(numpy_seed)  # noqa: NPY002
        return mix(x, y)[0]

    assert torch.equal(mixed(0, 0), mixed(0, 1))
    assert not torch.equal(mixed(0, 0), mixed(1, 0))
    before = np.random.get_state()  # noqa: NPY002
    mix(x, y)
    after = np.random.get_state()  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_video_is_cut_along_its_own_axes():
    y = torch.arange(4)
    x = F.one_hot(y, 4).float()[:, :, None, None, None].expand(4, 4, 3, 16, 20).contiguous()
    for _ in range(20):
        x_mix, y_mix = Mixup(0.0, 1.0, **PLAIN)(x, y)
        torch.testing.assert_close(x_mix.mean((2, 3, 4)), y_mix)


def test_picklable():
    mix = pickle.loads(pickle.dumps(Mixup(0.2, 1.0, num_mixes=3, **PLAIN)))
    assert len(mix(*planes(3))[0]) == 9


def test_it_says_what_it_does():
    assert repr(Mixup(0.2, 1.0, switch_prob=0.25, num_mixes=3, **PLAIN)) == (
        "Mixup(MixUp(alpha=0.2), CutMix(alpha=1.0, boxes='nested'), num_mixes=3, num_classes=4, mode='batch', "
        "prob=1.0, cutmix_share=0.25, label_smoothing=0.0, multi_label=False)"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cutmix_minmax": (0.2, 0.8)}, "cutmix_minmax must be None, .* got cutmix_minmax=\\(0.2, 0.8\\); leave it"),
        ({"mode": "pair"}, 'mode must be "batch" or "elem", got mode="pair", .*take "elem"'),
        ({"mode": "half"}, "mode must be one of batch, elem, got mode='half'"),
        ({"correct_lam": False}, "correct_lam must be True .* got correct_lam=False; leave it out"),
        ({"mixup_alpha": 0.0}, "mixup_alpha and cutmix_alpha must be >= 0 and not both 0, got mixup_alpha=0.0"),
        ({"cutmix_alpha": -1.0}, "must be >= 0 and not both 0, got mixup_alpha=1.0, cutmix_alpha=-1.0"),
        ({"mixup_alpha": float("nan")}, "alpha must be a finite number > 0, got alpha=nan"),
        ({"mixup_alpha": None}, "must be >= 0 and not both 0, got mixup_alpha=None, cutmix_alpha=0.0"),
        ({"prob": "a"}, r"prob must lie in \[0, 1\], got prob='a'"),
        ({"prob": 1.5}, r"prob must lie in \[0, 1\], got prob=1.5"),
        ({"label_smoothing": -0.1}, r"label_smoothing must lie in \[0, 1\]"),
        ({"multi_label": 5}, "multi_label must be True or False, got multi_label=5; .* by name, num_mixes=5"),
        ({"num_mixes": 0}, "num_mixes must be an integer >= 1, got num_mixes=0"),
    ],
)
def test_what_cannot_be_honoured_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Mixup(**arguments)


@pytest.mark.parametrize(
    "target", [torch.zeros(8, 5), torch.zeros(8), torch.zeros(8, 4, 1)], ids=lambda y: str(y.shape)
)
def test_targets_of_another_shape_are_refused(target):
    with pytest.raises(ValueError, match=r"target must be class indices \(8,\) or .* \(8, 4\), got target"):
        Mixup(**PLAIN)(planes(8)[0], target)
    with pytest.raises(ValueError, match=r"labels must lie in 0..3"):
        Mixup(**PLAIN)(planes(8)[0], torch.full((8,), 4))
