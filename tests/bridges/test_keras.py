"""Keras 3 on PyTorch needs no adapter: it fits the batches of a loader that mixes."""

import keras
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from multimix import MultiMix
from multimix.adapters import MixCollate

Y = torch.arange(24) % 4
DATA = TensorDataset(F.one_hot(Y, 4).float(), Y)  # each sample shows its label
MIX = MultiMix("mixup", num_mixes=3, num_classes=4)


def test_keras_fits_mixed_batches():
    seen = []

    def loss(y, logits):
        seen.append((y.detach().clone(), logits.detach().clone()))
        return keras.losses.categorical_crossentropy(y, logits, from_logits=True)

    start = torch.eye(4).numpy()
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(4, use_bias=False, kernel_initializer=lambda *_, **__: start)]
    )
    model.compile(keras.optimizers.SGD(0.0), loss)
    model.fit(DataLoader(DATA, batch_size=8, collate_fn=MixCollate(MIX)), epochs=1, shuffle=False, verbose=0)
    batches = [(y, logits) for y, logits in seen if y.device.type == "cpu"]  # first it looks at shapes, on "meta"
    assert len(batches) == 3
    for y, logits in batches:  # the model returns what it gets
        torch.testing.assert_close(y, logits)
        assert ((y > 0).sum(1) <= 2).all()
