"""Real digits, and the order in which they are met."""

import pytest
import torch

from multimix.lab.data import SampleOrder, open_data


def test_digits_are_normalised_by_the_training_split_and_stratified():
    data = open_data("digits")
    assert data.sample_shape == (1, 8, 8)
    assert (len(data.train), len(data.test)) == (898, 899)
    x, _ = next(data.train.chunks(1000))
    assert abs(x.mean().item()) < 1e-5
    assert abs(x.std().item() - 1) < 1e-5
    assert torch.equal((data.train.pixels.of(x) * 16).round(), data.train.x * 16)  # grey values are 0..16
    torch.testing.assert_close(data.train.pixels.as_input(data.train.pixels.of(x)), x, atol=1e-5, rtol=0)
    counts = torch.stack([split.labels.bincount(minlength=10) for split in (data.train, data.test)])
    assert (counts[0] - counts[1]).abs().max() <= 1


def test_the_splits_are_the_whole_set_and_the_same_every_time():
    from sklearn.datasets import load_digits

    first, second = open_data("digits"), open_data("digits")
    assert torch.equal(first.test.x, second.test.x)
    both = torch.cat([first.train.labels, first.test.labels])
    assert both.bincount().tolist() == torch.tensor(load_digits().target).bincount().tolist()


@pytest.mark.parametrize("batch", [1, 3, 7, 10, 25])
def test_every_epoch_meets_every_sample_once(batch):
    order = SampleOrder(num_samples=10, batch=batch, seed=0)
    met = torch.cat([order.at(step) for step in range(70)])
    assert len(met) == 70 * batch
    for epoch in met[: len(met) // 10 * 10].split(10):
        assert epoch.sort().values.tolist() == list(range(10))


def test_epochs_and_seeds_differ_and_a_step_needs_no_history():
    order = SampleOrder(num_samples=50, batch=50, seed=0)
    later = order.at(7)
    assert not torch.equal(order.at(0), order.at(1))
    assert not torch.equal(order.at(0), SampleOrder(50, 50, seed=1).at(0))
    assert torch.equal(SampleOrder(50, 50, seed=0).at(7), later)
