"""MixCollate in a DataLoader: what comes out, and where its randomness comes from."""

import pickle

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from multimix import Choice, ManifoldMixup, MultiMix
from multimix.adapters.collate import MixCollate

MIX = MultiMix("mixup", num_mixes=3, num_classes=4)


def data(n: int = 22) -> TensorDataset:
    y = torch.arange(n) % 4
    return TensorDataset(torch.nn.functional.one_hot(y, 4).float(), y)


def batches(workers: int = 0, epochs: int = 1, seed: int = 0, **settings) -> list[list[torch.Tensor]]:
    """The labels of every epoch's batches."""
    torch.manual_seed(seed)
    loader = DataLoader(data(), batch_size=4, num_workers=workers, collate_fn=MixCollate(MIX), **settings)
    return [[y for _, y in loader] for _ in range(epochs)]


def test_k_times_the_rows_in_as_many_batches():
    loader = DataLoader(data(), batch_size=4, collate_fn=MixCollate(MIX))
    sizes = []
    for x, y in loader:
        torch.testing.assert_close(x, y)  # each sample shows its label
        sizes.append(len(x))
    assert len(loader) == len(sizes) == 6
    assert sizes == [12] * 5 + [6]


@pytest.mark.parametrize("workers", [0, 2])
def test_same_seed_same_batches(workers):
    first, again, other = batches(workers), batches(workers), batches(workers, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(first[0], again[0], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first[0], other[0], strict=True))


@pytest.mark.parametrize("settings", [{}, {"persistent_workers": True}], ids=["new workers", "persistent"])
def test_draws_differ_between_workers_and_epochs(settings):
    # Without shuffling, batches 0, 2, 4 come from one worker and 1, 3 from the other; all hold the same four classes.
    labels = [y for epoch in batches(2, epochs=2, **settings) for y in epoch[:5]]
    assert len({tuple(y.flatten().tolist()) for y in labels}) == 10


def test_the_loaders_own_generator_decides_in_workers():
    def run(global_seed: int) -> list[torch.Tensor]:
        return batches(1, seed=global_seed, generator=torch.Generator().manual_seed(5))[0]

    assert all(torch.equal(a, b) for a, b in zip(run(0), run(1), strict=True))


def test_ranks_seeded_alike_draw_apart_in_workers_that_know_no_rank(monkeypatch):
    labels = {}
    for rank in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(torch.distributed, "is_initialized", lambda: True)
            patch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
            patch.setattr(torch.distributed, "get_world_size", lambda: 3)
            sent = pickle.dumps(MixCollate(MIX))
        collate = pickle.loads(pickle.dumps(pickle.loads(sent)))  # what a worker gets, sent on once more
        torch.manual_seed(0)
        samples = [data()[i] for i in range(4)]
        labels[rank] = [collate(samples)[1] for _ in range(5)]
    all_draws = {tuple(y.flatten().tolist()) for draws in labels.values() for y in draws}
    assert len(all_draws) == 15  # rank r's third draw is not rank s's first, either


def test_picklable_and_equal_to_itself():
    collate = MixCollate(MIX)
    assert pickle.loads(pickle.dumps(collate)) == collate
    assert "rank" not in repr(collate)


def test_another_collate_function():
    def swapped(samples):
        x, y = torch.utils.data.default_collate(samples)
        return x + 1, y

    x, y = MixCollate(MIX, collate_fn=swapped)([data()[i] for i in range(5)])
    torch.testing.assert_close(x, y + 1)


@pytest.mark.parametrize(
    "method",
    [ManifoldMixup(layers=[""]), "puzzlemix", Choice(["none", "puzzlemix"])],
    ids=["inside", "saliency", "one of"],
)
def test_methods_that_need_the_model_are_refused(method):
    with pytest.raises(ValueError, match=r"mix must need nothing but the batch to be used by MixCollate.*mix.run"):
        MixCollate(MultiMix(method, num_classes=4))


def test_what_is_no_mixer_and_no_pair_is_refused():
    with pytest.raises(TypeError, match="mix must be a MultiMix, got mix='mixup'"):
        MixCollate("mixup")
    samples = [{"x": torch.zeros(3), "y": 0}] * 2
    with pytest.raises(
        TypeError, match=r"MixCollate mixes batches of two tensors .*got batch=dict; mix in the training"
    ):
        MixCollate(MIX)(samples)
    with pytest.raises(TypeError, match=r"got batch=\(Tensor, Tensor, Tensor\)"):
        MixCollate(MIX)([(torch.zeros(3), 0, 1)] * 2)
