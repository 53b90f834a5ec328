"""The drop-in beside timm's own: equal under the same draws, the same laws, and timm's losses and meters."""

from dataclasses import replace

import numpy as np
import pytest
import timm.data
import timm.data.mixup
import torch
import torch.nn.functional as F
from scipy import stats
from timm.loss import BinaryCrossEntropy, SoftTargetCrossEntropy
from timm.utils import AverageMeter

from multimix import MultiMix, Plan
from multimix.adapters.timm import Mixup
from multimix.masks import Boxes, Constant

ALPHAS = {
    "mixup": {"mixup_alpha": 0.8},
    "cutmix": {"mixup_alpha": 0.0, "cutmix_alpha": 1.0},
    "both": {"cutmix_alpha": 1.0},
}


def corners(boxes: list, y: int, x: int) -> torch.Tensor:
    return torch.tensor([[box[y], box[x]] for box in boxes], dtype=torch.int64).reshape(-1, 2)


class Recorder:
    """timm's draws, written down while it makes them."""

    def __init__(self, theirs: timm.data.Mixup, monkeypatch) -> None:
        self.boxes, self.lam, self.use_cutmix = [], None, None
        self.per_batch, self.per_elem = theirs._params_per_batch, theirs._params_per_elem
        self.box_and_lam = timm.data.mixup.cutmix_bbox_and_lam
        monkeypatch.setattr(theirs, "_params_per_batch", self.record_batch)
        monkeypatch.setattr(theirs, "_params_per_elem", self.record_elements)
        monkeypatch.setattr(timm.data.mixup, "cutmix_bbox_and_lam", self.record_box)

    def record_batch(self):
        self.lam, self.use_cutmix = self.per_batch()
        return self.lam, self.use_cutmix

    def record_elements(self, batch_size):
        lam, self.use_cutmix = self.per_elem(batch_size)
        self.lam = lam.copy()
        return lam, self.use_cutmix

    def record_box(self, *args, **kwargs):
        box, lam = self.box_and_lam(*args, **kwargs)
        self.boxes.append(box)
        return box, lam

    def plans(self, x: torch.Tensor) -> list[Plan]:
        """The same draws as plans: up to one for CutMix and one for mixup, which also holds what is not mixed."""
        n = len(x)
        lam = torch.as_tensor(np.broadcast_to(np.asarray(self.lam, np.float64), n).copy())[None]
        cut = torch.as_tensor(np.broadcast_to(self.use_cutmix, n).copy()) & (lam[0] != 1)
        mask = Constant(lam.float())
        blend = Plan(lam, lam.float(), torch.arange(n - 1, -1, -1), mask, n)
        low, high = torch.zeros(1, n, 2).long(), torch.zeros(1, n, 2).long()
        low[0, cut] = corners(self.boxes, 0, 2)
        high[0, cut] = corners(self.boxes, 1, 3)
        boxes = Boxes(low, high, tuple(x.shape[2:]))
        pasted = replace(blend, mask=boxes, weight=boxes.weight())
        rows = [(pasted, cut), (blend, ~cut)]
        return [p.select(mine.nonzero()[:, 0]) for p, mine in rows if mine.any()]


@pytest.mark.parametrize("mode", ["batch", "elem"])
@pytest.mark.parametrize("prob", [1.0, 0.6])
@pytest.mark.parametrize("alphas", ALPHAS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equal_under_the_same_draws(alphas, prob, mode, smoothing, monkeypatch):
    arguments = {**ALPHAS[alphas], "prob": prob, "mode": mode, "label_smoothing": smoothing, "num_classes": 5}
    x, y = torch.randn(8, 3, 12, 17), torch.randint(5, (8,))
    for seed in range(12):
        theirs, ours = timm.data.Mixup(**arguments), Mixup(**arguments)
        with monkeypatch.context() as patch:
            recorder = Recorder(theirs, patch)
            np.random.seed(seed)  # noqa: NPY002
            x_theirs, y_theirs = theirs(x.clone(), y)
        x_ours, y_ours = ours.apply(recorder.plans(x), x, y)
        cut = torch.as_tensor(np.broadcast_to(recorder.use_cutmix, 8).copy())
        assert torch.equal(x_ours[cut], x_theirs[cut])
        torch.testing.assert_close(x_ours, x_theirs, atol=1e-6, rtol=0)
        torch.testing.assert_close(y_ours, y_theirs, atol=1e-6, rtol=0)


def test_multi_label_equal_under_the_same_draws(monkeypatch):
    arguments = {"num_classes": 5, "multi_label": True, "label_smoothing": 0.2}
    x, y = torch.randn(6, 3, 9, 9), torch.randint(2, (6, 5))
    theirs, ours = timm.data.Mixup(**arguments), Mixup(**arguments)
    recorder = Recorder(theirs, monkeypatch)
    x_theirs, y_theirs = theirs(x.clone(), y)
    x_ours, y_ours = ours.apply(recorder.plans(x), x, y)
    torch.testing.assert_close(x_ours, x_theirs, atol=1e-6, rtol=0)
    torch.testing.assert_close(y_ours, y_theirs, atol=1e-6, rtol=0)


def test_switched_off_they_agree():
    x, y = torch.randn(6, 3, 9, 9), torch.arange(6) % 5
    theirs, ours = timm.data.Mixup(num_classes=5), Mixup(num_classes=5, num_mixes=3)
    theirs.mixup_enabled = ours.mixup_enabled = False
    for a, b in zip(theirs(x, y), ours(x, y), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("alphas", ["mixup", "cutmix"])
@pytest.mark.parametrize("mode", ["batch", "elem"])
def test_the_same_law_of_label_weights(mode, alphas):
    arguments = {**ALPHAS[alphas], "mode": mode, "label_smoothing": 0.0, "num_classes": 8}
    x, y = torch.zeros(8, 1, 33, 33), torch.arange(8)
    np.random.seed(0)  # noqa: NPY002
    # One of each batch: the batch shares them, or they are stratified over it.
    mixers = timm.data.Mixup(**arguments), Mixup(**arguments)
    weights = [[float(mix(x.clone(), y)[1][0, 0]) for _ in range(1500)] for mix in mixers]
    # Box edges are cut to pixels in another way: the smallest steps differ, the law does not.
    assert stats.ks_2samp(*weights).statistic < 0.07


def test_the_drop_in_takes_timms_arguments():
    import inspect

    theirs = inspect.signature(timm.data.Mixup).parameters
    ours = inspect.signature(Mixup).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    assert all(ours[name].default == parameter.default for name, parameter in theirs.items())
    assert set(ours) - set(theirs) == {"num_mixes"}


def test_in_timms_loop():
    # The lines of timm's train.py that see a mixed batch: loss, meters, number of updates.
    torch.manual_seed(0)
    data = torch.utils.data.TensorDataset(torch.randn(20, 3, 8, 8), torch.randint(4, (20,)))
    loader = torch.utils.data.DataLoader(data, batch_size=4, drop_last=True)
    model = timm.create_model("resnet10t", num_classes=4, in_chans=3).eval()
    mixup_fn = Mixup(0.8, 1.0, num_classes=4, num_mixes=3)
    losses, updates, rows = AverageMeter(), 0, []
    for x, y in loader:
        x, y = mixup_fn(x, y)
        with torch.no_grad():
            output = model(x)
        loss = SoftTargetCrossEntropy()(output, y)
        torch.testing.assert_close(loss, F.cross_entropy(output, y))
        assert BinaryCrossEntropy()(output, y) > 0
        losses.update(float(loss), len(x))
        rows.append((len(x), float(loss)))
        updates += 1
    assert updates == len(loader) == 5
    assert [n for n, _ in rows] == [12] * 5
    assert losses.avg == pytest.approx(sum(value for _, value in rows) / 5)


def test_mixing_inside_a_timm_model():
    from multimix import ManifoldMixup

    model = timm.create_model("resnet10t", num_classes=4)
    mix = MultiMix(ManifoldMixup(layers=["layer2", "layer3"]), num_mixes=3, num_classes=4)
    logits, y = mix.run(model, torch.randn(4, 3, 32, 32), torch.arange(4))
    assert logits.shape == y.shape == (12, 4)
