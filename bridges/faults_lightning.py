"""What goes wrong when a batch is mixed by hand in Lightning's hooks: `python -m bridges.faults_lightning`."""

import logging
import warnings

import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

from multimix import MultiMix

MIX = MultiMix("mixup", num_mixes=3, num_classes=4)


class Module(lightning.LightningModule):
    """Writes down how many rows it gets where."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)
        self.rows: dict[str, set[int]] = {"training": set(), "validation": set()}

    def training_step(self, batch, batch_idx):
        self.rows["training"].add(len(batch[0]))
        return self.layer(batch[0]).mean()

    def validation_step(self, batch, batch_idx):
        self.rows["validation"].add(len(batch[0]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Hooked(Module):
    def on_after_batch_transfer(self, batch, dataloader_idx):
        return MIX(*batch)


class Returning(lightning.Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        return MIX(*batch)


class Data(lightning.LightningDataModule):
    def train_dataloader(self):
        return loader()

    def val_dataloader(self):
        return loader()

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch


def loader() -> DataLoader:
    return DataLoader(TensorDataset(torch.randn(8, 4), torch.arange(8) % 4), batch_size=4)


def fit(module: Module, *callbacks: lightning.Callback, data: object = None) -> str:
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, enable_model_summary=False, callbacks=list(callbacks), **options
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, *([loader(), loader()] if data is None else []), datamodule=data)
    return ", ".join(f"{stage} {sorted(rows)}" for stage, rows in module.rows.items())


def main() -> None:
    logging.getLogger("lightning").setLevel(logging.ERROR)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    print(
        f"lightning {lightning.__version__}: rows in a batch of 4 pairs, K = 3, so 12 in training and 4 in validation"
    )
    print(f"a callback that returns the mixed batch from on_train_batch_start: {fit(Module(), Returning())}")
    print(f"a module that mixes in on_after_batch_transfer: {fit(Hooked())}")
    print(f"the same, with a data module that has this hook too: {fit(Hooked(), data=Data())}")


if __name__ == "__main__":
    main()
