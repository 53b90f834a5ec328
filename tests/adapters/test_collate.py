"""MixCollate in a DataLoader: what comes out, and where its randomness comes from."""

import pickle
import warnings
from collections import OrderedDict, UserDict, namedtuple

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from multimix import Choice, ManifoldMixup, MultiMix, SimilarTargets, once
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
    with pytest.raises(
        ValueError, match=r"mix must need .* by MixCollate, got method=\w+, which needs the model; use .*mix.run"
    ):
        MixCollate(MultiMix(method, num_classes=4))


Pair = namedtuple("Pair", "image map")


class TestBatchesOfManyParts:
    """Each input shows its label, so inputs and targets that are mixed alike stay equal."""

    def samples(self, make, n=6):
        return [make(torch.eye(4)[i % 4], i % 4) for i in range(n)]

    def mixed(self, make, mix=MIX, **settings):
        torch.manual_seed(0)
        return MixCollate(mix, **settings)(self.samples(make))

    @pytest.mark.parametrize(
        ("make", "settings"),
        [
            (lambda x, y: {"pixel_values": x, "labels": y}, {}),
            (lambda x, y: {"label": y, "image": x}, {}),
            (lambda x, y: {"image": x, "class": y}, {"targets": "class"}),
            (lambda x, y: {"image": x, "class": y}, {"targets": ["class"]}),
            (lambda x, y: (y, x), {"targets": 0}),
            (lambda x, y: Pair(x, y), {}),
        ],
        ids=["hugging face", "other names", "named", "listed", "by place", "namedtuple"],
    )
    def test_one_input_and_one_target(self, make, settings):
        x, y = self.mixed(lambda x, y: (x, y))
        batch, template = self.mixed(make, **settings), make(0, 1)
        assert type(batch) in (type(template), list)
        pairs = zip(batch.values(), template.values()) if isinstance(batch, dict) else zip(batch, template)  # noqa: B905
        for found, which in pairs:
            assert torch.equal(found, (x, y)[which])

    def test_several_of_both(self):
        def make(x, y):
            return {"views": (x, {"second": x + 1}), "heads": (y, y % 2), "weight": float(y), "only": y == 3}

        targets = {"heads": (4, 2), "weight": None, "only": None}
        batch = self.mixed(make, mix=MultiMix("mixup", num_mixes=3), targets=targets)
        x, y = self.mixed(lambda x, y: (x, y))
        first, rest = batch["views"]
        assert torch.equal(first, x)
        torch.testing.assert_close(rest["second"], x + 1)
        fine, coarse = batch["heads"]
        assert torch.equal(fine, y)
        torch.testing.assert_close(coarse, torch.stack([y[:, 0] + y[:, 2], y[:, 1] + y[:, 3]], 1))
        torch.testing.assert_close(batch["weight"].float(), y @ torch.arange(4.0))
        torch.testing.assert_close(batch["only"], y[:, 3])

    def test_masks_that_follow_the_pixels(self):
        def make(x, y):
            return {"image": x[:, None].expand(4, 5), "mask": torch.full((5,), y)}

        mix = MultiMix("cutmix", num_mixes=3, num_classes=4, dense_targets=True)
        batch = self.mixed(make, mix=mix, targets="mask")
        torch.testing.assert_close(batch["image"], batch["mask"])

    def test_partners_by_their_targets(self):
        mix = MultiMix("mixup", num_mixes=2, partners=SimilarTargets(1e-3))
        batch = self.mixed(lambda x, y: {"x": x, "y": float(y // 2)}, mix=mix)
        assert set(batch["y"].tolist()) == {0.0, 1.0}

    def test_names_of_files_stay(self):
        batch = self.mixed(lambda x, y: {"id": f"{y}.png", "x": (x, {"from": "web"}), "y": y})
        x, rest = batch["x"]
        assert torch.equal(x, batch["y"])
        assert batch["id"] == [f"{i % 4}.png" for i in range(6)]
        assert rest == {"from": ["web"] * 6}

    @pytest.mark.parametrize(
        ("make", "settings", "told"),
        [
            (
                lambda x, y: {"x": x, "z": y},
                {},
                r"one item named as targets are \(labels, .*got \['x', 'z'\]; say which .*\(mix, targets='z'\)",
            ),
            (lambda x, y: {"z": y, "x": x}, {}, r"got \['z', 'x'\]; say which .*\(mix, targets='z'\)"),
            (lambda x, y: {"x": x, "y": y, "label": y}, {}, r"got \['x', 'y', 'label'\]"),
            (lambda x, y: (x, y, y), {}, r"MixUp averages values, got batch\[1\]: torch.int64; convert it, name it"),
            (lambda x, y: (x, y), {"targets": "y"}, r"items of the batch \(\[0, 1\]\), got targets='y'"),
            (lambda x, y: (x,), {}, "got 0 inputs and 1 targets"),
            (
                lambda x, y: (x, (y, y)),
                {"targets": {1: (4,)}},
                r"each of the 2 tensors of batch\[1\], got \(4,\); give",
            ),
            (lambda x, y: (x, (y, y)), {"targets": {1: (4, 3)}}, r"labels must lie in 0\.\.2"),
            (lambda x, y: (x, (y, y)), {"targets": {1: (4, 0)}}, "labels must lie in"),
            (lambda x, y: (x, x[None].long()), {}, "class indices of shape"),
        ],
    )
    def test_what_does_not_fit_is_refused_before_a_number_is_drawn(self, make, settings, told):
        before = torch.manual_seed(0).get_state()
        with pytest.raises(ValueError, match=told):
            self.mixed(make, **settings)
        assert torch.equal(torch.get_rng_state(), before)

    def test_inputs_that_do_not_fit_each_other(self):
        cutmix = MultiMix("cutmix", num_classes=4)
        with pytest.raises(ValueError, match=r"CutMix cuts them, got batch\[0\]: \(6, 4\), batch\[1\]: \(6, 3\); name"):
            self.mixed(lambda x, y: (x, x[:3], y), mix=cutmix)
        batch = torch.rand(6, 4), torch.rand(5, 4), torch.arange(6) % 4
        with pytest.raises(ValueError, match=r"same number of samples, got batch\[0\]: \(6, 4\), batch\[1\]: \(5, 4\)"):
            MixCollate(MIX, collate_fn=lambda samples: batch)([])


def test_a_dictionary_with_numbers_for_names_is_no_sequence():
    batch = MixCollate(MultiMix("mixup", num_classes=4))([{0: torch.rand(3), 2: torch.rand(2), "y": 1}] * 2)
    assert {name: tuple(value.shape) for name, value in batch.items()} == {0: (10, 3), 2: (10, 2), "y": (10, 4)}


@pytest.mark.parametrize("kind", [dict, OrderedDict, UserDict])
def test_a_dictionary_keeps_its_type(kind):
    loaded = kind(x=torch.rand(6, 3), y=torch.arange(6) % 4)
    before = {name: value.clone() for name, value in loaded.items()}
    batch = MixCollate(MIX, collate_fn=lambda samples: loaded)([])
    assert type(batch) is kind
    assert all(len(value) > 6 for value in batch.values())
    assert all(torch.equal(value, before[name]) for name, value in loaded.items())


def test_what_is_no_mixer_and_no_batch_is_refused():
    with pytest.raises(TypeError, match="mix must be a MultiMix, got mix='mixup'"):
        MixCollate("mixup")
    for batch, told in (
        (torch.zeros(3), "lists, tuples or dictionaries of inputs and targets, got batch=Tensor; mix in the training"),
        ([], r"got batch=\[\]; mix"),
        ({}, r"got batch=\{\}; mix"),
        ({"x": torch.zeros(2), "n": [1.0, None], "y": torch.zeros(2)}, r"got batch\['n'\]\[0\]=float; leave it out"),
        ([torch.zeros(2), ("a", "b")], r"mixes targets that are tensors, got batch\[1\]\[0\]=str; number the classes"),
    ):
        with pytest.raises(TypeError, match=told):
            MixCollate(MIX, collate_fn=lambda samples, batch=batch: batch)([])


def test_to_mix_a_mixed_batch_again_is_warned_of():
    x, y = MixCollate(MIX)([data()[i] for i in range(6)])
    for again in (lambda: MIX(x, y), lambda: MIX.plan(x)):
        with pytest.warns(UserWarning, match="x is mixed again, MixCollate mixed it before"):
            again()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MIX(x.clone(), y)
        MIX(*data()[:6])


def test_mixed_batches_are_forgotten_when_they_are_gone():
    x, _ = MixCollate(MIX)([data()[i] for i in range(6)])
    assert x in once._mixed
    before = len(once._mixed)
    del x
    assert len(once._mixed) == before - 1


def test_settings_of_the_mixer_are_sent_to_it():
    with pytest.raises(TypeError, match=r"got MixCollate\(\.\.\., K=5\); pass mix=MultiMix\(\.\.\., num_mixes=5\)"):
        MixCollate("cutmix", K=5)
