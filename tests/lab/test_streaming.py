"""Batches: what is in one depends on the seed and the step, and on nothing else."""

import itertools

import layouts
import pytest
import torch

from multimix.lab.data import HeldSplit, SampleOrder, open_data
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.files.blobs import Names
from multimix.lab.data.prepare import Normalise


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    root = tmp_path_factory.mktemp("imagenet")
    layouts.imagenet(root)
    return root


def opened(kind, imagenet, num_workers=0):
    """A streamed set and a held one, both augmented."""
    if kind == "streamed":
        return open_data("imagenet-1k", {"size": 16}, root=imagenet, num_workers=num_workers).train
    x = torch.randint(256, (12, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return HeldSplit(x, torch.arange(12) % 3, Normalise((0.5,) * 3, (0.5,) * 3), FlipCrop(2))


def same(batches, others):
    pairs = list(zip(batches, others, strict=True))
    return all(torch.equal(a, b) for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True))


ORDER = SampleOrder(12, 5, seed=3)


def test_workers_change_nothing_and_touch_no_global_state(imagenet):
    state = torch.get_rng_state()
    alone = list(opened("streamed", imagenet).batches(ORDER, range(6)))
    helped = list(opened("streamed", imagenet, num_workers=2).batches(ORDER, range(6)))
    assert same(alone, helped)
    assert torch.equal(torch.get_rng_state(), state)
    assert same(opened("streamed", imagenet).chunks(5), opened("streamed", imagenet, num_workers=1).chunks(5))


@pytest.mark.parametrize("kind", ["held", "streamed"])
def test_a_step_needs_no_history(imagenet, kind):
    split = opened(kind, imagenet)
    straight = list(split.batches(ORDER, range(6)))
    assert same(straight[4:], split.batches(ORDER, range(4, 6)))
    assert not torch.equal(straight[0][0], straight[1][0])


@pytest.mark.parametrize("kind", ["held", "streamed"])
@pytest.mark.parametrize("world", [2, 3, 7])
def test_processes_share_what_one_alone_would_get(imagenet, kind, world):
    split = opened(kind, imagenet)
    whole = list(split.batches(ORDER, range(3)))
    if kind == "streamed" and world == 7:
        world = 5  # a process without rows has no batch to decode
    parts = [list(split.batches(ORDER, range(3), rank, world)) for rank in range(world)]
    joined = [tuple(map(torch.cat, zip(*step, strict=True))) for step in zip(*parts, strict=True)]
    assert same(whole, joined)


@pytest.mark.parametrize("kind", ["held", "streamed"])
def test_a_sample_looks_different_in_every_epoch_and_as_it_is_in_testing(imagenet, kind):
    split = opened(kind, imagenet)
    order = SampleOrder(12, 12, seed=0)
    looks = []
    for step, (x, labels) in enumerate(split.batches(order, range(3))):
        back = order.at(step).argsort()
        looks.append(x[back])
        assert torch.equal(labels[back], split.labels)
    for a, b in itertools.combinations(looks, 2):
        assert (a != b).flatten(1).any(1).sum() >= 10
    assert same(split.chunks(4), split.chunks(4))
    assert torch.equal(torch.cat([labels for _, labels in split.chunks(5)]), split.labels)


@pytest.mark.parametrize("kind", ["held", "streamed"])
def test_a_subset_keeps_samples_and_labels_together(imagenet, kind):
    split = opened(kind, imagenet)
    chosen = torch.tensor([7, 2, 11])
    x, labels = next(split.chunks(12))
    part, part_labels = next(split.subset(chosen).chunks(12))
    assert torch.equal(part, x[chosen])
    assert torch.equal(part_labels, labels[chosen])
    assert len(split.subset(chosen)) == 3
    again, again_labels = next(split.subset(chosen).subset(torch.tensor([2, 0])).chunks(12))
    assert torch.equal(again, x[[11, 7]])
    assert torch.equal(again_labels, labels[[11, 7]])


def test_moves_do_what_they_say():
    x = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).to(torch.uint8)
    moves = torch.tensor([[0, 1, 0], [3, 2, 1]])
    moved = FlipCrop(2).apply(x, moves)
    for row, (top, left, flip) in enumerate([(0, 1, False), (3, 2, True)]):
        padded = torch.zeros(3, 8, 9, dtype=torch.uint8)
        padded[:, 2:6, 2:7] = x[row]
        expected = padded[:, top : top + 4, left : left + 5]
        assert torch.equal(moved[row], expected.flip(2) if flip else expected)
    assert torch.equal(FlipCrop(2).apply(x, torch.tensor([[2, 2, 0]] * 2)), x)


def test_moves_are_drawn_evenly():
    top, left, flip = FlipCrop(2).draw(50_000, seed=0).T
    for places in (top, left):
        counts = places.bincount(minlength=5)
        assert len(counts) == 5
        assert ((counts / 10_000 - 1).abs() < 0.04).all()
    assert abs(flip.double().mean() - 0.5) < 0.01
    assert abs(torch.corrcoef(torch.stack([top.double(), left.double()]))[0, 1]) < 0.02
    assert not FlipCrop(2, flip=False).draw(1000, seed=0)[:, 2].any()
    again, other = FlipCrop(2).draw(50_000, seed=0), FlipCrop(2).draw(50_000, seed=1)
    assert torch.equal(again[:, 0], top)
    assert not torch.equal(other[:, 0], top)


def test_a_random_crop_covers_what_it_should(tmp_path):
    import numpy as np

    from multimix.lab.data.files.images import CROP_AREA, CROP_RATIO, _random_box

    boxes = np.array([_random_box(300, 200, np.random.default_rng(seed)) for seed in range(2000)])
    wide, tall = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert (boxes >= 0).all()
    assert (boxes[:, 2] <= 300 + 1e-9).all()
    assert (boxes[:, 3] <= 200 + 1e-9).all()
    share = wide * tall / 60_000
    assert CROP_AREA[0] - 1e-9 <= share.min() < 0.1
    assert share.max() > 0.8
    assert CROP_RATIO[0] - 1e-9 <= (wide / tall).min() < 0.77
    assert (wide / tall).max() <= CROP_RATIO[1] + 1e-9


def test_names_are_kept_as_they_are():
    names = ["a.png", "", "ü/ß.jpg", "bad\udcff.png", "x" * 1000]
    kept = Names(names)
    assert [kept[index] for index in range(len(kept))] == names
    assert len(Names([])) == 0


@pytest.mark.parametrize("kind", ["held", "streamed"])
def test_hold_out_takes_the_same_share_of_every_class_and_never_the_test_set(imagenet, kind):
    data = open_data("digits") if kind == "held" else open_data("imagenet-1k", {"size": 16}, root=imagenet)
    share = 0.25
    split, again = data.hold_out(share), data.hold_out(share)
    assert split.test is data.test
    assert len(split.train) + len(split.validation) == len(data.train)
    counts = [part.labels.bincount() for part in (split.validation, data.train)]
    assert (counts[0] - counts[1] * share).abs().max() <= 0.5
    assert torch.equal(next(split.validation.chunks(9))[0], next(again.validation.chunks(9))[0])
    if kind == "held":
        pictures = torch.cat([split.train.x, split.validation.x]).flatten(1)
        assert torch.equal(pictures.sum(1).sort().values, data.train.x.flatten(1).sum(1).sort().values)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 0.0001])
def test_a_hold_out_that_leaves_nothing_is_refused(share):
    from multimix.lab.core.errors import UsageError

    with pytest.raises(UsageError, match=r"validation share must leave samples on both sides, got .* of 898; try 0.1"):
        open_data("digits").hold_out(share)


def test_a_published_validation_split_is_not_replaced(tmp_path):
    layouts.speech_commands(tmp_path)
    data = open_data("speech-commands", root=tmp_path)
    assert data.hold_out(0.5) is data


@pytest.mark.parametrize(("shape", "classes"), [("moons", 2), ("spirals", 3), ("rings", 4)])
def test_synthetic_classes_are_even_and_can_be_told_apart(shape, classes):
    from sklearn.neighbors import KNeighborsClassifier

    data = open_data("synthetic", {"shape": shape, "num_classes": classes, "num_train": 600})
    assert data.sample_shape == (2,)
    assert data.train.labels.bincount().tolist() == [600 // classes] * classes
    judge = KNeighborsClassifier(5).fit(data.train.x.numpy(), data.train.labels.numpy())
    assert judge.score(data.test.x.numpy(), data.test.labels.numpy()) > 0.9
    assert torch.equal(
        data.train.x, open_data("synthetic", {"shape": shape, "num_classes": classes, "num_train": 600}).train.x
    )


def test_decoded_samples_are_kept_until_a_file_changes(tmp_path, monkeypatch, capsys):
    home, kept = layouts.class_folders(tmp_path / "data"), tmp_path / "kept"
    monkeypatch.setenv("MULTIMIX_CACHE", str(kept))
    monkeypatch.setattr("multimix.lab.data.files.cache.MIN_FILES", 4)
    (home / "ant" / "0.png").write_bytes(b"no picture")

    def samples():
        data = open_data(f"folder:{home}", on_bad_file="skip")
        return torch.cat([data.train.x, data.test.x]).flatten(1).float().sum(1).sort().values.tolist()

    first = samples()
    files = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert samples() == first
    assert {path: path.stat().st_mtime_ns for path in kept.iterdir()} == files
    assert capsys.readouterr().err.count("no picture") == 0
    for path in files:
        path.write_bytes(path.read_bytes()[:50])  # a broken copy is no copy
    assert samples() == first
    (home / "ant" / "0.png").write_bytes(layouts.png(77, 12))
    assert len(samples()) == len(first) + 1
    monkeypatch.setenv("MULTIMIX_CACHE", str(home / "ant" / "0.png"))  # cannot be written
    assert len(samples()) == len(first) + 1
    assert "decoded samples are not kept" in capsys.readouterr().err
