"""skorch needs no adapter: its training batches are mixed where they are collated."""

import torch
import torch.nn.functional as F
from sklearn.base import clone
from skorch import NeuralNetClassifier
from torch.utils.data import TensorDataset

from multimix import MultiMix
from multimix.adapters import MixCollate

Y = torch.arange(24) % 4
DATA = TensorDataset(F.one_hot(Y, 4).float(), Y)  # each sample shows its label
MIX = MultiMix("mixup", num_mixes=3, num_classes=4)


def test_skorch_mixes_training_batches_alone_and_copies_its_settings():
    seen = []

    class Noting(torch.nn.CrossEntropyLoss):
        def forward(self, logits, y):
            seen.append(y)
            return super().forward(logits, y)

    class Plain(torch.nn.Linear):
        def forward(self, x):
            if self.training:
                inputs.append(x)
            return super().forward(x)

    inputs = []
    collate = MixCollate(MIX)
    net = NeuralNetClassifier(
        Plain, module__in_features=4, module__out_features=4, criterion=Noting, max_epochs=1, batch_size=8, verbose=0
    ).set_params(iterator_train__collate_fn=collate)
    net = clone(net)
    assert net.iterator_train__collate_fn == collate
    net.fit(DATA.tensors[0].numpy(), DATA.tensors[1].numpy())
    mixed = [y for y in seen if y.ndim == 2]
    assert len(mixed) == len(inputs) > 0
    for x, y in zip(inputs, mixed, strict=True):
        torch.testing.assert_close(x, y)
    assert all(y.dtype == torch.int64 for y in seen if y.ndim == 1)
    assert len(seen) > len(mixed)
    assert net.predict(DATA.tensors[0].numpy()).shape == (24,)
