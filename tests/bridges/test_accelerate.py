"""accelerate needs no adapter: a prepared model takes the steps of a plain loop."""

import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch.utils.data import DataLoader, TensorDataset

from multimix import ManifoldMixup, MultiMix, PuzzleMix

Y = torch.arange(24) % 4
DATA = TensorDataset(F.one_hot(Y, 4).float(), Y)  # each sample shows its label


@pytest.mark.parametrize("method", ["mixup", ManifoldMixup(layers=["1"]), PuzzleMix(grid=2)], ids=["in", "at", "asks"])
def test_accelerate_takes_the_steps_of_a_plain_loop(method):
    def weights(prepare):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 4))
        parts = model, torch.optim.SGD(model.parameters(), lr=0.5), DataLoader(DATA, batch_size=8)
        accelerator = Accelerator(cpu=True) if prepare else None
        model, optimizer, loader = accelerator.prepare(*parts) if prepare else parts
        generator = torch.Generator().manual_seed(1)
        for x, y in loader:
            mix = MultiMix(method, num_mixes=3, num_classes=4)
            loss = F.cross_entropy(*mix.run(model, x, y, generator=generator))
            accelerator.backward(loss) if prepare else loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        return list(model.parameters())

    for one, other in zip(weights(True), weights(False), strict=True):
        torch.testing.assert_close(one, other)
