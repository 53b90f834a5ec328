"""Real copies, where there are any: in the folder MULTIMIX_DATA_ROOT names, and in Debian's dataset-fashion-mnist."""

import os
from pathlib import Path

import pytest
import torch

from multimix.lab.data import open_data
from multimix.lab.train.run import train
from multimix.lab.train.settings import TrainSettings

ROOT = Path(os.environ.get("MULTIMIX_DATA_ROOT", "/nowhere"))
DEBIAN = Path("/usr/share/datasets")


def there(path):
    return pytest.mark.skipif(not path.is_dir(), reason=f"no {path}; set MULTIMIX_DATA_ROOT to the folder of copies")


@there(DEBIAN / "fashion-mnist")
def test_fashion_mnist():
    data = open_data("fashion-mnist", root=DEBIAN)
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert data.train.labels.bincount().tolist() == [6_000] * 10
    pixels = data.train.x.double() / 255
    assert data.train.prepare.mean[0] == pytest.approx(pixels.mean().item(), abs=5e-5)
    assert data.train.prepare.std[0] == pytest.approx(pixels.std().item(), abs=5e-5)


@there(ROOT / "fsdd" / "recordings")
def test_fsdd():
    data = open_data("fsdd", root=ROOT)
    assert (len(data.train), len(data.test)) == (2_700, 300)
    assert data.test.labels.bincount().tolist() == [30] * 10
    x, labels = next(data.train.chunks(2_700))
    features, test = x.flatten(1), next(data.test.chunks(300))
    nearest = torch.cdist(test[0].flatten(1), features).argmin(1)
    assert (labels[nearest] == test[1]).double().mean() > 0.8  # spectrograms of a digit look alike


@there(ROOT / "cifar10")
def test_cifar10(tmp_path, monkeypatch):
    monkeypatch.setenv("MULTIMIX_CACHE", str(tmp_path / "cache"))
    settings = {"data": "cifar10", "data_root": str(ROOT), "model": "mlp"}
    train(TrainSettings(**settings, steps=2, batch_size=20, num_mixes=5, out=str(tmp_path / "run")))
    data = open_data("cifar10", root=ROOT)  # from the copy that the run kept
    assert data.train.labels.bincount().tolist() == [5_000] * 10
    assert data.test.labels.bincount().tolist() == [1_000] * 10
    mean = data.train.x[::7].double().mean(dim=(0, 2, 3)) / 255
    torch.testing.assert_close(mean, torch.tensor(data.train.prepare.mean).double(), atol=5e-3, rtol=0)


@there(ROOT / "tiny-imagenet-32")
def test_tiny_imagenet(monkeypatch):
    monkeypatch.setattr("multimix.lab.data.assembly.HOLD_BYTES", 0)  # decode what is looked at and no more
    data = open_data("tiny-imagenet", root=ROOT / "tiny-imagenet-32")
    assert (len(data.train), len(data.test), data.num_classes) == (100_000, 10_000, 200)
    assert data.train.labels.bincount().tolist() == [500] * 200
    boxes = torch.cat([data.train.boxes, data.test.boxes])
    assert boxes.min() == 0
    assert boxes.max() == 1
    assert (boxes[:, 2:] > boxes[:, :2]).double().mean() > 0.999
    assert next(data.test.chunks(8))[0].shape == (8, 3, 32, 32)
