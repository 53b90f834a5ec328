"""Real digits, and the order in which they are met."""

import pytest
import torch

from multimix.lab.core.errors import UsageError
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


def test_digits_are_read_once_and_no_user_of_them_sees_what_another_one_changed(monkeypatch):
    kept = open_data("digits").train.x.clone()
    monkeypatch.setattr("sklearn.datasets.load_digits", None)  # reading again would fail
    first = open_data("digits")
    first.train.x.zero_()
    first.train.labels.zero_()
    again = open_data("digits")
    assert torch.equal(again.train.x, kept)
    assert again.train.labels.unique().numel() == 10


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


def test_few_labels_are_as_many_of_each_class_and_more_contain_fewer():
    data = open_data("digits")
    few, more = (data.with_splits(0.4, per_class, seed=3) for per_class in (5, 20))
    assert few.train.labels.bincount().tolist() == [5] * 10
    assert more.train.labels.bincount().tolist() == [20] * 10
    rows = {tuple(x.flatten().tolist()) for x in more.train.x}
    assert all(tuple(x.flatten().tolist()) in rows for x in few.train.x)
    # The validation split is held out first: the same for both, and none of it is trained on.
    assert torch.equal(few.validation.x, more.validation.x)
    assert not rows & {tuple(x.flatten().tolist()) for x in few.validation.x}
    other = data.with_splits(0.4, 5, seed=4)
    assert not torch.equal(other.train.x, few.train.x)
    assert not torch.equal(other.validation.x, few.validation.x)


@pytest.mark.parametrize("per_class", [0, 1000])
def test_a_class_must_have_the_labels_that_are_asked_for(per_class):
    with pytest.raises(UsageError, match=f"labels_per_class must be at least 1 .* got labels_per_class={per_class}"):
        open_data("digits").limit_labels(per_class)
