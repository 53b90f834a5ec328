"""MixBatch in a real Trainer: what is mixed, what is not, and what is counted."""

import lightning
import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from multimix import ManifoldMixup, MultiMix
from multimix.adapters.lightning import MixBatch

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:You defined a .validation_step. but"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6 asks torch 2.13 in the old way
]

MIX = MultiMix("mixup", num_mixes=3, num_classes=4)


class Module(lightning.LightningModule):
    """A linear model that writes down every batch it gets."""

    def __init__(self, rate: float = 0.1) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)
        torch.nn.init.zeros_(self.layer.bias)
        torch.nn.init.eye_(self.layer.weight)
        self.rate, self.train_batches, self.val_batches, self.losses = rate, [], [], []

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.train_batches.append((x, y))
        loss = F.cross_entropy(self.layer(x), y)
        self.losses.append(loss.detach())
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.val_batches.append(batch)
        self.log("val_loss", F.cross_entropy(self.layer(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate)


def loader(n: int = 22, batch_size: int = 4) -> DataLoader:
    y = torch.arange(n) % 4
    return DataLoader(TensorDataset(F.one_hot(y, 4).float(), y), batch_size=batch_size)


def fit(module, *callbacks, train=None, validate=None, datamodule=None, **settings) -> lightning.Trainer:
    options = {"max_epochs": 1, "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(
        accelerator="cpu", enable_model_summary=False, callbacks=list(callbacks), **{**options, **settings}
    )
    if datamodule is not None:
        trainer.fit(module, datamodule=datamodule)
    else:
        trainer.fit(module, loader() if train is None else train, validate)
    return trainer


def test_training_batches_are_mixed_and_nothing_else():
    module = Module()
    trainer = fit(module, MixBatch(MIX), validate=loader(), max_epochs=2, val_check_interval=2)
    assert [len(x) for x, _ in module.train_batches] == ([12] * 5 + [6]) * 2
    for x, y in module.train_batches:
        torch.testing.assert_close(x, y)  # each sample shows its label
    assert all(y.dtype == torch.int64 and len(x) <= 4 for x, y in module.val_batches)
    assert trainer.num_training_batches == 6
    assert trainer.global_step == 12
    assert trainer.current_epoch == 2


def test_draws_differ_between_epochs_and_follow_the_seed():
    def labels() -> list[torch.Tensor]:
        torch.manual_seed(3)
        module = Module()
        fit(module, MixBatch(MIX), max_epochs=2)
        return [y for _, y in module.train_batches]

    first, again = labels(), labels()
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[6])


def test_logged_means_weigh_batches_by_pairs():
    module = Module(rate=0.0)
    trainer = fit(module, MixBatch(MIX))
    pairs = torch.tensor([4.0] * 5 + [2])
    expected = (torch.stack(module.losses) * pairs).sum() / 22
    torch.testing.assert_close(trainer.callback_metrics["loss"], expected)
    assert not torch.isclose(expected, torch.stack(module.losses).mean())


def test_loss_scale():
    # One step with K mixes is one step on the K * B rows: their mean loss, no K in the learning rate.
    module = Module()
    before = module.layer.weight.detach().clone()
    fit(module, MixBatch(MIX), train=loader(4))
    x, y = module.train_batches[0]
    weight = before.clone().requires_grad_()
    F.cross_entropy(x @ weight.T, y).backward()
    torch.testing.assert_close(module.layer.weight.detach(), before - 0.1 * weight.grad)


def test_gradient_accumulation():
    module = Module()
    before = module.layer.weight.detach().clone()
    trainer = fit(module, MixBatch(MIX), train=loader(8), accumulate_grad_batches=2)
    assert trainer.global_step == 1
    x, y = (torch.cat(parts) for parts in zip(*module.train_batches, strict=True))
    assert len(x) == 24
    weight = before.clone().requires_grad_()
    F.cross_entropy(x @ weight.T, y).backward()
    torch.testing.assert_close(module.layer.weight.detach(), before - 0.1 * weight.grad)


def test_a_data_modules_own_hooks_stay():
    class Data(lightning.LightningDataModule):
        def train_dataloader(self):
            return loader(8)

        def on_after_batch_transfer(self, batch, dataloader_idx):
            return [2 * batch[0], batch[1]]

    module = Module()
    fit(module, MixBatch(MIX), datamodule=Data())
    for x, y in module.train_batches:
        assert len(x) == 12
        torch.testing.assert_close(x, 2 * y)


def test_the_module_is_given_back_as_it_was():
    module = Module()
    fit(module, MixBatch(MIX))
    assert "training_step" not in vars(module)
    fit(module, MixBatch(MIX))
    assert len(module.train_batches[-1][0]) == 6  # mixed once, not twice


def test_the_module_is_given_back_after_a_failure():
    class Failing(Module):
        def training_step(self, batch, batch_idx):
            raise RuntimeError("out of luck")

    module = Failing()
    with pytest.raises(RuntimeError, match="out of luck"):
        fit(module, MixBatch(MIX))
    assert "training_step" not in vars(module)


def test_a_step_of_its_own_comes_back():
    module = Module()
    own = module.training_step
    module.training_step = own  # as torch.compile of a module leaves it
    fit(module, MixBatch(MIX))
    assert vars(module)["training_step"] is own
    assert len(module.train_batches[0][0]) == 12


def test_mixing_inside_with_run():
    class Inside(Module):
        def training_step(self, batch, batch_idx):
            logits, y = mix.run(self.layer, *batch)
            self.train_batches.append((logits, y))
            return F.cross_entropy(logits, y)

    mix = MultiMix(ManifoldMixup(layers=[""]), num_mixes=3, num_classes=4)
    module = Inside()
    fit(module)
    assert [len(y) for _, y in module.train_batches] == [12] * 5 + [6]


def test_what_cannot_be_mixed_is_refused():
    with pytest.raises(ValueError, match="mix must need nothing but the batch to be used by MixBatch, got method=Man"):
        MixBatch(MultiMix(ManifoldMixup(layers=["layer"]), num_classes=4))
    y = torch.arange(4)
    three = DataLoader(TensorDataset(torch.eye(4), y, y), batch_size=4)
    with pytest.raises(
        ValueError, match=r"MixUp averages values, got batch\[1\]: torch.int64; convert it, name it among"
    ):
        fit(Module(), MixBatch(MIX), train=three)


def test_mixing_ends_where_its_settings_are_replaced():
    class Ending(lightning.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == 1:
                mixing.mix = MultiMix("none", num_classes=4)

    module, mixing = Module(), MixBatch(MIX)
    fit(module, mixing, Ending(), max_epochs=2)
    assert [len(y) for _, y in module.train_batches] == [12] * 5 + [6] + [4] * 5 + [2]


def test_two_that_would_mix_twice_are_refused():
    module = Module()
    with pytest.raises(
        ValueError, match="callbacks must hold one MixBatch, or batches are mixed twice, got 2; for one"
    ):
        fit(module, MixBatch(MIX), MixBatch(MIX))
    assert not module.train_batches


def test_a_batch_of_many_parts_keeps_its_form():
    seen = []
    module = Module()
    module.training_step = lambda batch, index: seen.append(batch)
    callback = MixBatch(MIX, targets={"fine": None, "coarse": 2})
    callback.on_train_start(None, module)
    y = torch.arange(4)
    module.training_step({"image": torch.eye(4), "fine": y, "coarse": y % 2}, 0)
    callback.on_train_end(None, module)
    (batch,) = seen
    torch.testing.assert_close(batch["image"], batch["fine"])
    torch.testing.assert_close(batch["coarse"], batch["fine"].view(12, 2, 2).sum(1))


class Twice(Module):
    """Mixes again, as one does who pastes both ways of a page."""

    def training_step(self, batch, batch_idx):
        logits, y = MIX.run(self.layer, *batch)
        return F.cross_entropy(logits, y)


def test_mixing_again_in_the_training_step_is_warned_of():
    with pytest.warns(UserWarning, match="x is mixed again, MixBatch mixed it before: .*; mix once"):
        fit(Twice(), MixBatch(MultiMix("mixup", num_mixes=2, num_classes=4)))


def test_settings_of_the_mixer_are_sent_to_it():
    with pytest.raises(TypeError, match=r"got MixBatch\(\.\.\., K=5\); pass mix=MultiMix\(\.\.\., num_mixes=5\)"):
        MixBatch("cutmix", K=5)
