"""MixBatch in a real Learner: what is mixed, what is counted, and what is put back."""

import pytest
import torch
import torch.nn.functional as F
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.mixup import CutMix, MixUp
from fastai.callback.training import GradientAccumulation
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner, Recorder
from fastai.losses import BCEWithLogitsLossFlat, CrossEntropyLossFlat, MSELossFlat
from fastai.metrics import accuracy
from fastai.optimizer import SGD
from fastai.torch_core import TensorImage

from multimix import ManifoldMixup, MultiMix
from multimix.adapters.fastai import MixBatch

MIX = MultiMix("mixup", num_mixes=3)


class Seen(Callback):
    """Writes down rows, targets and losses of every batch."""

    order = 100

    def __init__(self) -> None:
        self.train, self.valid, self.losses, self.inputs = [], [], [], []

    def after_loss(self) -> None:
        (self.train if self.training else self.valid).append((len(self.pred), len(self.y)))
        if self.training:
            self.losses.append(float(self.loss.detach()))
            self.inputs.append((self.xb[0], self.y))


def learner(*callbacks, n=22, batch_size=4, loss=None, y=None, rate=0.1, image=False, **settings) -> Learner:
    labels = torch.arange(n) % 4
    x = F.one_hot(labels, 4).float()[:, :, None, None].expand(n, 4, 6, 6).contiguous()
    x = TensorImage(x) if image else x
    y = labels if y is None else y
    data = [(x[i], y[i]) for i in range(n)]
    loaders = DataLoaders(DataLoader(data, bs=batch_size), DataLoader(data, bs=batch_size))
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 4))
    return Learner(
        loaders, model, loss_func=loss or CrossEntropyLossFlat(), opt_func=SGD, lr=rate, cbs=list(callbacks), **settings
    )


def fit(learn: Learner, epochs: int = 1) -> Learner:
    with learn.no_bar(), learn.no_logging():
        learn.fit(epochs, wd=0.0)
    return learn


def test_training_batches_are_mixed_and_nothing_else():
    seen = Seen()
    learn = fit(learner(MixBatch(MIX), seen, metrics=accuracy), epochs=2)
    assert seen.train == [(12, 4)] * 5 + [(6, 2)] + [(12, 4)] * 5 + [(6, 2)]
    assert seen.valid == ([(4, 4)] * 5 + [(2, 2)]) * 2
    assert len(learn.recorder.losses) == 12
    assert type(learn.loss_func) is CrossEntropyLossFlat
    with torch.no_grad():
        x, y = (torch.stack(parts) for parts in zip(*learn.dls.train_ds, strict=True))
        logits = learn.model(x)
    assert learn.recorder.values[-1][1] == pytest.approx(float(F.cross_entropy(logits, y)), abs=1e-5)
    assert learn.recorder.values[-1][2] == pytest.approx(float((logits.argmax(1) == y).float().mean()))


def test_the_loss_is_cross_entropy_over_all_mixed_rows():
    seen = Seen()
    learn = learner(MixBatch(MIX), seen, n=4)
    fresh = torch.nn.Linear(4, 4)
    fresh.load_state_dict(learn.model[2].state_dict())
    fit(learn)
    # Images show their label, so a mixed row's soft label is its mean colour.
    soft = seen.inputs[0][0].mean((2, 3))
    loss = F.cross_entropy(fresh(soft), soft)
    loss.backward()
    assert seen.losses[0] == pytest.approx(float(loss.detach()), abs=1e-6)
    for new, old in zip(learn.model[2].parameters(), fresh.parameters(), strict=True):
        torch.testing.assert_close(new.detach(), old.detach() - 0.1 * old.grad)


def test_gradient_accumulation_counts_pairs():
    steps = []

    class Steps(Callback):
        order, run_valid = 101, False

        def after_step(self) -> None:
            steps.append(self.iter)

    class Stepped(Callback):
        order, run_valid = 90, False

        def before_step(self) -> None:
            steps.append(self.iter)

    weights = []
    for batch_size, extra in ((8, []), (4, [GradientAccumulation(8)])):
        steps.clear()
        unmixed = MixBatch(MultiMix("none"))
        learn = fit(learner(unmixed, Stepped(), *extra, n=8, batch_size=batch_size))
        weights.append(learn.model[2].weight.detach())
        assert len(steps) == 1
    torch.testing.assert_close(*weights)


@pytest.mark.parametrize("loss", [BCEWithLogitsLossFlat, MSELossFlat])
def test_float_targets_have_the_gradient_of_the_mixed_target(loss):
    y = torch.rand(4, 4)
    seen = Seen()
    learn = learner(MixBatch(MIX), seen, n=4, y=y, loss=loss())
    before = learn.model[2].weight.detach().clone()
    bias = learn.model[2].bias.detach().clone()
    fit(learn)
    x = seen.inputs[0][0].mean((2, 3))  # the mixture of the four one-hot classes is the mixture of their targets
    weight = before.clone().requires_grad_()
    plain = F.mse_loss if loss is MSELossFlat else F.binary_cross_entropy_with_logits
    plain(x @ weight.T + bias, x @ y).backward()
    torch.testing.assert_close(learn.model[2].weight.detach(), before - 0.1 * weight.grad)


def test_images_stay_images():
    kinds = []

    class Next(Callback):
        order, run_valid = 1, False

        def before_batch(self) -> None:
            kinds.append((type(self.xb[0]), len(self.xb[0])))

    fit(learner(MixBatch(MultiMix("cutmix", num_mixes=3)), Next(), image=True))
    assert kinds == [(TensorImage, 12)] * 5 + [(TensorImage, 6)]


def test_the_loss_is_put_back_however_training_ends():
    class Stop(Callback):
        order, run_valid = 5, False

        def after_batch(self) -> None:
            raise CancelFitException

    learn = fit(learner(MixBatch(MIX), Stop()))
    assert type(learn.loss_func) is CrossEntropyLossFlat
    assert learn.loss_func.reduction == "mean"


def test_draws_follow_the_seed_and_differ_between_epochs():
    def losses() -> list[float]:
        seen = Seen()
        learn = learner(MixBatch(MIX), seen, rate=0.0)
        torch.manual_seed(7)
        fit(learn, epochs=2)
        return seen.losses

    first, again = losses(), losses()
    assert first == again
    assert first[:6] != first[6:]


def test_what_cannot_be_mixed_is_refused():
    with pytest.raises(ValueError, match="to be used by MixBatch, got method=ManifoldMixup"):
        MixBatch(MultiMix(ManifoldMixup(layers=["2"]), num_classes=4))
    with pytest.raises(ValueError, match="mix must have one target per sample, got dense_targets=True"):
        MixBatch(MultiMix("cutmix", dense_targets=True))
    learn = learner(MixBatch(MIX))
    learn.remove_cbs(learn.cbs.filter(lambda cb: isinstance(cb, Recorder)))
    learn.add_cb(Recorder(train_metrics=True))
    with pytest.raises(ValueError, match=r"got Recorder\(train_metrics=True\)"):
        fit(learn)
    with pytest.raises(ValueError, match="a batch must have one target, a class or a vector for each sample"):
        fit(learner(MixBatch(MIX), y=torch.rand(22, 4, 2)))


@pytest.mark.parametrize("other", [lambda: MixBatch(MIX), MixUp, CutMix])
def test_mixing_twice_is_refused_before_training(other):
    seen, other = Seen(), other()
    with pytest.raises(
        ValueError, match=f"callbacks must hold one that mixes, .*, got MixBatch, {type(other).__name__};"
    ):
        fit(learner(MixBatch(MIX), other, seen))
    assert not seen.train


class Mean(torch.nn.Module):
    """A loss of one's own, without a reduction."""

    def forward(self, pred, y):
        return F.cross_entropy(pred, y)


class Rows(Mean):
    """A loss of one's own that can be unreduced, as the page says."""

    def forward(self, pred, y, reduction="mean"):
        return F.cross_entropy(pred, y, reduction=reduction)


@pytest.mark.parametrize("loss", [Mean(), Mean().forward], ids=["Mean", "forward"])
def test_a_loss_that_is_a_mean_only_is_refused_before_training(loss):
    seen = Seen()
    with pytest.raises(
        ValueError, match=r'one loss per row for reduction="none", got loss_func=(Mean|forward); let it'
    ):
        fit(learner(MixBatch(MIX), seen, loss=loss))
    assert not seen.train


@pytest.mark.parametrize("loss", [Rows(), Rows().forward, F.cross_entropy])
def test_losses_of_ones_own(loss):
    losses = []
    for each in (loss, CrossEntropyLossFlat()):
        torch.manual_seed(3)
        fit(learner(MixBatch(MIX), seen := Seen(), loss=each))
        losses.append(seen.losses)
    assert losses[0] == pytest.approx(losses[1])


def test_labels_must_fit_num_classes_where_it_is_given():
    assert fit(learner(MixBatch(MultiMix("mixup", num_classes=4))))
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.2 \(num_classes=3\), got labels from 0 to 3"):
        fit(learner(MixBatch(MultiMix("mixup", num_classes=3))))


def test_settings_of_the_mixer_are_sent_to_it():
    with pytest.raises(TypeError, match=r"got MixBatch\(\.\.\., K=5\); pass mix=MultiMix\(\.\.\., num_mixes=5\)"):
        MixBatch("cutmix", K=5)
