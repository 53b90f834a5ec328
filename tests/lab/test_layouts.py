"""Every data set by name, from files in the layout it is published in."""

from pathlib import Path

import layouts
import numpy as np
import pytest
import torch

from multimix.lab.core.errors import UsageError
from multimix.lab.data import HeldSplit, StreamedSplit, open_data


@pytest.fixture
def few_records(monkeypatch):
    monkeypatch.setattr("multimix.lab.data.sets.cifar.Cifar10.records", {"train": 6, "test": 6})
    monkeypatch.setattr("multimix.lab.data.sets.cifar.Cifar100.records", {"train": 12, "test": 5})


def test_cifar10(tmp_path, few_records):
    arrays = layouts.cifar10_binary(tmp_path, 6)
    data = open_data("cifar10", root=tmp_path)
    assert (len(data.train), len(data.test), data.num_classes, data.sample_shape) == (30, 6, 10, (3, 32, 32))
    assert data.classes[0] == "airplane"
    stored = np.concatenate([x for x, _ in arrays[:5]]).reshape(-1, 3, 32, 32)
    assert torch.equal(data.train.x, torch.from_numpy(stored))
    assert data.train.x.dtype == torch.uint8
    assert data.train.labels.tolist() == np.concatenate([y for _, y in arrays[:5]]).tolist()
    assert data.test.labels.tolist() == arrays[5][1].tolist()


def test_cifar100_has_the_fine_labels(tmp_path, few_records):
    arrays = layouts.cifar100_binary(tmp_path, 12, 5)
    data = open_data("cifar100", root=tmp_path)
    assert (len(data.train), len(data.test), data.num_classes) == (12, 5, 100)
    assert data.train.labels.tolist() == arrays[0][1].tolist()
    assert torch.equal(data.test.x.flatten(1), torch.from_numpy(arrays[1][0]))
    assert data.classes == tuple(f"fine_{number}" for number in range(100))


def test_the_folder_itself_can_be_the_root(tmp_path, few_records):
    layouts.cifar100_binary(tmp_path, 12, 5)
    assert len(open_data("cifar100", root=tmp_path / "cifar-100-binary").train) == 12


def test_cifar10_as_class_folders(tmp_path):
    for part, count in (("train", 2), ("test", 1)):
        for label, name in enumerate(open_cifar_classes()):
            for number in range(count):
                layouts.jpeg(tmp_path / "cifar10" / part / name / f"{number:04}.jpg", label, 32, 32)
    data = open_data("cifar10", root=tmp_path)
    assert data.train.labels.tolist() == [label for label in range(10) for _ in range(2)]
    assert data.test.labels.tolist() == list(range(10))
    assert np.abs(data.test.x[3].permute(1, 2, 0).numpy().astype(int) - layouts.pixels(3, 32, 32)).mean() < 8


def test_cifar10_is_the_same_set_in_every_layout(tmp_path, few_records):
    from PIL import Image

    arrays = layouts.cifar10_binary(tmp_path / "binary", 6)
    number = 0
    for part, batches in (("train", arrays[:5]), ("test", arrays[5:])):
        for x, y in batches:
            for row, label in zip(x, y, strict=True):
                path = tmp_path / "folders" / "cifar10" / part / open_cifar_classes()[label] / f"{number:04}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(row.reshape(3, 32, 32).transpose(1, 2, 0)).save(path)
                number += 1
    binary, folders = (
        open_data("cifar10", root=tmp_path / name, on_bad_file="skip") for name in ("binary", "folders")
    )  # six test images do not fill ten folders
    for part in ("train", "test"):
        ours, images = (getattr(data, part) for data in (binary, folders))
        by_class = ours.labels.argsort(stable=True)
        assert torch.equal(ours.x[by_class], images.x)
        assert torch.equal(ours.labels[by_class], images.labels)
        torch.testing.assert_close(next(ours.chunks(99))[0][by_class], next(images.chunks(99))[0])


def open_cifar_classes():
    from multimix.lab.data.sets.cifar import CLASSES

    return CLASSES


@pytest.mark.parametrize("packed", [True, False])
def test_fashion_mnist(tmp_path, packed):
    arrays = layouts.fashion_mnist(tmp_path, 9, 4, packed)
    data = open_data("fashion-mnist", root=tmp_path)
    assert (len(data.train), len(data.test), data.num_classes, data.sample_shape) == (9, 4, 10, (1, 28, 28))
    assert torch.equal(data.test.x[:, 0], torch.from_numpy(arrays["t10k"][0]))
    assert data.train.labels.tolist() == arrays["train"][1].tolist()


@pytest.mark.parametrize("name", ["tiny-imagenet", "folder"])
def test_tiny_imagenet(tmp_path, name):
    home = layouts.tiny_imagenet(tmp_path)
    data = open_data(name, root=tmp_path) if name == "tiny-imagenet" else open_data(f"folder:{home}")
    assert (len(data.train), len(data.test), data.sample_shape) == (9, 4, (3, 64, 64))
    assert data.classes == tuple(sorted(layouts.WNIDS))
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data.test.labels.tolist() == [2, 1, 0, 2]
    # Pixels are included on both ends, in 64ths of the image.
    torch.testing.assert_close(data.train.boxes[1] * 64, torch.tensor([1.0, 8, 32, 63]))
    torch.testing.assert_close(data.test.boxes[0] * 64, torch.tensor([0.0, 16, 64, 48]))
    x, _ = next(data.test.chunks(4))
    torch.testing.assert_close(x, data.test.x / 127.5 - 1)  # mean = std = 0.5


def test_boxes_of_a_copy_of_another_size_are_the_same_shares(tmp_path):
    layouts.tiny_imagenet(tmp_path, side=32)
    data = open_data("tiny-imagenet", root=tmp_path)
    assert data.sample_shape == (3, 32, 32)
    torch.testing.assert_close(data.train.boxes[0], torch.tensor([0.0, 8 / 64, 0.5, 1.0]))


def test_imagenet(tmp_path):
    layouts.imagenet(tmp_path)
    data = open_data("imagenet-1k", {"size": 24}, root=tmp_path)
    assert isinstance(data.train, StreamedSplit)
    assert (len(data.train), len(data.test), data.num_classes, data.sample_shape) == (12, 6, 3, (3, 24, 24))
    assert data.classes == layouts.WNIDS
    x, labels = next(data.test.chunks(10))
    assert x.shape == (6, 3, 24, 24)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_imagenet_as_kaggle_has_it(tmp_path, monkeypatch):
    home = layouts.imagenet(tmp_path)
    kaggle = tmp_path / "kaggle" / "ILSVRC" / "Data" / "CLS-LOC"
    kaggle.parent.mkdir(parents=True)
    home.rename(kaggle)
    lines = ["ImageId,PredictionString"]
    for image in sorted((kaggle / "val").rglob("*.JPEG"), reverse=True):
        lines.append(f"{image.stem},{image.parent.name} 1 2 30 40 {layouts.WNIDS[0]} 1 2 3 4")
        image.rename(kaggle / "val" / image.name)
    for wnid in layouts.WNIDS:
        (kaggle / "val" / wnid).rmdir()
    (tmp_path / "kaggle" / "LOC_val_solution.csv").write_text("\n".join(lines) + "\n")
    data = open_data("imagenet-1k", {"size": 24}, root=tmp_path / "kaggle")
    assert (len(data.train), data.test.labels.tolist()) == (12, [2, 2, 1, 1, 0, 0])
    (kaggle / "val" / "ILSVRC2012_val_000010.JPEG").unlink()
    (kaggle / "val" / "ILSVRC2012_val_99999999.JPEG").write_bytes(b"")
    with pytest.raises(
        UsageError, match=r"got 2 bad: .*000010.JPEG \(listed but missing\), .*_99999999.JPEG \(not list"
    ):
        open_data("imagenet-1k", root=tmp_path / "kaggle")


def test_the_middle_of_a_test_image_is_what_is_tested_on(tmp_path):
    layouts.imagenet(tmp_path)
    data = open_data("imagenet-1k", {"size": 44}, root=tmp_path)
    x, _ = next(data.test.chunks(1))
    mean, std = (torch.tensor(values)[:, None, None] for values in (data.test.prepare.mean, data.test.prepare.std))
    shown = ((x[0] * std + mean) * 255).permute(1, 2, 0).numpy()
    # 70 × 50 pixels: the side of the crop is 50 · 224 / 256 = 43.75, its corner at (13.1, 3.1).
    assert np.abs(shown - layouts.pixels(500, 50, 70)[3:47, 13:57]).mean() < 8


def test_cub(tmp_path):
    layouts.cub(tmp_path)
    data = open_data("cub-200-2011", {"size": 32}, root=tmp_path)
    assert (len(data.train), len(data.test), data.num_classes) == (4, 4, 2)
    assert data.classes == ("001.Black_footed_Albatross", "002.Laysan_Albatross")
    assert data.train.labels.tolist() == [0, 0, 1, 1]
    # 200 × 100 pixels: the crop is 87.5 wide from (56.25, 6.25); the box 100 × 50 from (60, 27), cut off on the right.
    expected = torch.tensor([(60 - 56.25) / 87.5, (27 - 6.25) / 87.5, 1.0, (77 - 6.25) / 87.5])
    torch.testing.assert_close(data.test.boxes, expected.expand(4, 4))
    assert next(data.test.chunks(9))[0].shape == (4, 3, 32, 32)


@pytest.mark.parametrize(("form", "shape"), [("spectrogram", (1, 161, 101)), ("waveform", (1, 16_000))])
def test_speech_commands(tmp_path, form, shape):
    layouts.speech_commands(tmp_path)
    data = open_data("speech-commands", {"form": form}, root=tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 3, 3)
    assert data.sample_shape == shape
    assert data.classes == ("bed", "left", "right")
    assert data.validation.labels.tolist() == data.test.labels.tolist() == [0, 1, 2]
    assert data.test.x[0, 0, : 16_000 - 2997].tolist() == layouts.sound(3, 16_000 - 2997).tolist()
    assert not data.test.x[0, 0, 16_000 - 2997 :].any()
    x, _ = next(data.test.chunks(3))
    torch.testing.assert_close(x.flatten(1).mean(1), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(x.flatten(1).std(1), torch.ones(3), atol=1e-2, rtol=0)


def test_a_spectrogram_is_where_the_tone_is():
    from multimix.lab.data.prepare import LogSpectrogram

    seconds = torch.arange(16_000) / 16_000
    tone = (8_000 * torch.sin(2 * torch.pi * 1_000 * seconds)).short()[None, None]
    spectrogram = LogSpectrogram(320, 160)(tone)[0, 0]
    assert spectrogram.mean(1).argmax() == 20  # 1,000 Hz in bands of 16,000 / 320 = 50 Hz
    reference = torch.from_numpy(np.fft.rfft(tone[0, 0, 1600 - 160 : 1600 + 160] / 32768 * torch.hamming_window(320)))
    column = reference.abs().log1p()
    correlation = torch.corrcoef(torch.stack([column, spectrogram[:, 10].double()]))[0, 1]
    assert correlation > 0.9999
    assert torch.isfinite(LogSpectrogram(320, 160)(torch.zeros(1, 1, 16_000, dtype=torch.int16))).all()


def test_fsdd_tests_on_the_first_five_of_each_speaker(tmp_path):
    layouts.fsdd(tmp_path)
    data = open_data("fsdd", root=tmp_path)
    assert (len(data.train), len(data.test), data.sample_shape) == (20, 20, (1, 81, 101))
    assert data.test.labels.bincount().tolist() == [2] * 10
    assert data.test.x[1, 0, :2_600].tolist() == layouts.sound(4, 2_600).tolist()
    assert data.train.x[0, 0].tolist() == layouts.sound(49, 2_000 + 150 * 49)[:8_000].tolist()


@pytest.mark.parametrize("test", ["test", "val"])
def test_a_folder_with_splits(tmp_path, test):
    data = open_data(f"folder:{layouts.class_folders(tmp_path, ('train', test))}")
    assert (len(data.train), len(data.test), data.num_classes, data.sample_shape) == (10, 10, 2, (3, 12, 12))
    assert data.classes == ("ant", "bee")
    assert data.notes == ()
    assert np.array_equal(data.test.x[7].permute(1, 2, 0).numpy(), layouts.pixels(102, 12, 12))
    x, _ = next(data.train.chunks(10))
    torch.testing.assert_close(x.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(x.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-2, rtol=0)


def test_a_folder_without_splits_is_split_by_a_fixed_seed_and_says_so(tmp_path):
    layouts.class_folders(tmp_path)
    first, second = (open_data(f"folder:{tmp_path}") for _ in range(2))
    assert (len(first.train), len(first.test)) == (8, 2)
    assert first.test.labels.tolist() == [0, 1]
    assert torch.equal(first.test.x, second.test.x)
    assert first.notes == (f"folder {tmp_path} has no test split: 2 of 10 samples were taken, the same in every run",)
    everything = torch.cat([first.train.x, first.test.x]).flatten(1).tolist()
    assert len({tuple(row) for row in everything}) == 10


def test_a_folder_with_three_splits_has_one_to_choose_by(tmp_path):
    data = open_data(f"folder:{layouts.class_folders(tmp_path, ('train', 'val', 'test'))}")
    assert len(data.validation) == 10


def test_a_folder_of_images_of_all_sizes(tmp_path):
    for name in ("ant", "bee"):
        for number in range(5):
            layouts.jpeg(tmp_path / name / f"{number}.jpg", number, 20 + number, 30)
    with pytest.raises(UsageError, match=r"must have one size unless .*, got 30 × 2.*; pass --data-options.size"):
        open_data(f"folder:{tmp_path}")
    assert open_data(f"folder:{tmp_path}", {"size": 16}).sample_shape == (3, 16, 16)


def test_a_folder_of_all_sizes_has_the_colours_of_most(tmp_path):
    from PIL import Image

    for label, name in enumerate(("ant", "bee")):
        for number in range(5):
            image = Image.fromarray(layouts.pixels(number, 20 + number + 5 * label, 30))
            (tmp_path / name).mkdir(exist_ok=True)
            image.convert("L" if number == 0 else "RGB").save(tmp_path / name / f"{number}.png")
    assert open_data(f"folder:{tmp_path}", {"size": 16}).sample_shape == (3, 16, 16)


def test_crops_are_mirrored_unless_that_is_ruled_out(tmp_path):
    from multimix.lab.data.files.images import CroppedImage

    content = layouts.png(3, 40)
    pictures = {}
    for flip in (True, False):
        crops = [CroppedImage(3, 8, flip)(content, np.random.default_rng(seed)) for seed in range(20)]
        pictures[flip] = crops
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(pictures[True], pictures[False], strict=True)]
    as_they_were = [torch.equal(a, b) for a, b in zip(pictures[True], pictures[False], strict=True)]
    assert sum(mirrored) > 3
    assert sum(mirrored) + sum(as_they_were) == 20
    layouts.class_folders(tmp_path, ("train", "test"))
    assert not open_data(f"folder:{tmp_path}", {"size": 8, "flip": False}).train.reader.flip


def test_grey_values_of_16_bits_keep_their_upper_half():
    import io

    from PIL import Image

    from multimix.lab.data.files.images import WholeImage, header

    grey = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)
    content = io.BytesIO()
    Image.fromarray(grey).save(content, "PNG")
    assert header(content.getvalue()) == (1, 16, 16)
    assert WholeImage(1, 16, 16)(content.getvalue()).flatten().tolist() == list(range(256))


def test_one_class_is_refused(tmp_path):
    for number in range(5):
        layouts.jpeg(tmp_path / "recordings" / f"{number}.jpg", number, 12, 12)
    with pytest.raises(UsageError, match=r"must have at least 2 classes, got 1; give a folder of class folders"):
        open_data(f"folder:{tmp_path}")


def test_splits_that_are_not_used_are_told(tmp_path):
    data = open_data(f"folder:{layouts.class_folders(tmp_path, ('train', 'val', 'dev', 'test'))}")
    assert len(data.validation) == 10
    assert data.notes == (f"folder {tmp_path} has splits that are not used: dev",)


@pytest.mark.parametrize("rank", ["0", "1"])
def test_of_several_processes_only_the_first_speaks(tmp_path, monkeypatch, capsys, rank):
    layouts.class_folders(tmp_path)
    (tmp_path / "ant" / "notes.txt").write_text("x")
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("MULTIMIX_CACHE", str(tmp_path / "kept"))
    monkeypatch.setattr("multimix.lab.data.files.cache.MIN_FILES", 4)
    data = open_data(f"folder:{tmp_path}", on_bad_file="skip")
    assert len(data.skipped) == len(data.notes) == 1
    told = capsys.readouterr().err
    assert all((words in told) == (rank == "0") for words in ("no test split", "notes.txt", "decoded samples kept"))


def test_a_folder_of_grey_images_and_one_of_sounds(tmp_path):
    from PIL import Image

    for name in ("ant", "bee"):
        for number in range(5):
            layouts.wav(tmp_path / "sounds" / name / f"{number}.wav", number, 8_000, 4_000, channels=2)
            (tmp_path / "grey" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(layouts.pixels(number, 9, 7, channels=1)).save(tmp_path / "grey" / name / f"{number}.png")
    assert open_data(f"folder:{tmp_path / 'grey'}").sample_shape == (1, 9, 7)
    sounds = open_data(f"folder:{tmp_path / 'sounds'}", {"form": "waveform", "seconds": 0.25})
    assert sounds.sample_shape == (1, 2_000)
    both = layouts.sound(0, 8_000).reshape(-1, 2).mean(axis=1).round()[:2_000]
    assert any(np.array_equal(x[0].numpy(), both) for x in sounds.train.x)


@pytest.mark.parametrize("names", [("train-0.tar", "train-1.tar", "val-0.tar"), ("a.tar", "b.tar", "c.tar")])
def test_webdataset_shards(tmp_path, names):
    layouts.shards(tmp_path, names)
    data = open_data(f"webdataset:{tmp_path}")
    sizes = (8, 4) if "val-0.tar" in names else (10, 2)
    assert (len(data.train), len(data.test), data.num_classes, data.sample_shape) == (*sizes, 2, (3, 12, 12))
    if "val-0.tar" in names:
        assert data.test.labels.tolist() == [0, 1, 0, 1]
        assert np.array_equal(data.train.x[5].permute(1, 2, 0).numpy(), layouts.pixels(101, 12, 12))


def test_the_split_can_stand_anywhere_in_a_shards_name(tmp_path):
    layouts.shards(tmp_path, ("imagenet1k-train-0.tar", "imagenet1k-validation-0.tar"))
    data = open_data(f"webdataset:{tmp_path}")
    assert (len(data.train), len(data.test), data.notes) == (4, 4, ())
    layouts.shards(tmp_path, ("more.tar",))
    with pytest.raises(UsageError, match=r"either all shards or none .*, got more.tar in .*; rename it"):
        open_data(f"webdataset:{tmp_path}")


def test_small_sets_are_held_and_large_ones_streamed_with_the_same_samples(tmp_path, monkeypatch):
    layouts.class_folders(tmp_path, ("train", "test"))
    held = open_data(f"folder:{tmp_path}")
    monkeypatch.setattr("multimix.lab.data.assembly.HOLD_BYTES", 1000)
    streamed = open_data(f"folder:{tmp_path}")
    assert isinstance(held.train, HeldSplit)
    assert isinstance(streamed.train, StreamedSplit)
    torch.testing.assert_close(next(held.test.chunks(10)), next(streamed.test.chunks(10)))


@pytest.mark.parametrize(
    ("name", "looked_for"),
    [
        ("cifar10", "data_batch_1.bin"),
        ("cifar100", "cifar-100-binary"),
        ("fashion-mnist", "train-images-idx3-ubyte.gz"),
        ("tiny-imagenet", "val/val_annotations.txt"),
        ("imagenet-1k", "train/n01440764/"),
        ("cub-200-2011", "CUB_200_2011"),
        ("speech-commands", "testing_list.txt"),
        ("fsdd", "recordings/"),
    ],
)
def test_what_is_nowhere_is_refused_with_what_was_looked_for(tmp_path, name, looked_for):
    message = rf"{name} must be a copy in a published layout under .*, got none in .* \(looked for .*\), .*; unpack it"
    with pytest.raises(UsageError, match=message) as stop:
        open_data(name, root=tmp_path)
    assert looked_for in str(stop.value)
    assert str(tmp_path) in str(stop.value)
    with pytest.raises(UsageError, match=r"got no --data-root, and .*; unpack it and give its folder"):
        open_data(name)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (str(Path(__file__).parent), {}, r"got data=.*; for pictures of your own write folder:/.*lab"),
        ("zzz", {}, r"data must be one of digits, .*, got data='zzz'; choose one of these"),
        ("cifar", {}, r'data must be one of digits, .*, hf:REPO, .*got data=\'cifar\'; did you mean "cifar10"\?'),
        (
            "cifar10",
            {"paddin": 2},
            r'data_options must be options of cifar10, got \'paddin\'; did you mean "padding"\?',
        ),
        ("cifar10", {"padding": -1}, r"padding must be an integer in 0..64, got padding=-1"),
        ("cifar10", {"padding": "two"}, r"padding must be of type int, got padding='two'; give such a value"),
        ("digits", {"padding": 2}, r"data_options must be options of digits, got 'padding'; leave it out"),
        ("cifar10", {"padding": 1.5}, r"padding must be of type int, got padding=1.5"),
        ("cifar10", {"padding": True}, r"padding must be of type int, got padding=True"),
        ("cifar10", {"flip": "no"}, r"flip must be of type bool, got flip='no'"),
        ("folder:x", {"size": "big"}, r"size must be of type int, got size='big'"),
        (
            "folder:x",
            {"size": 32, "padding": 2},
            r"padding is for images of one size, .*, got padding=2, size=32; leave",
        ),
        ("folder:x", {"seconds": 0}, r"seconds must be in \(0, 600\], got seconds=0; try 1.0"),
        ("folder:x", {"seconds": float("nan")}, r"seconds must be in \(0, 600\], got seconds=nan"),
        ("folder:", {}, r"folder: must be followed by a path, got data='folder:'; write folder:PATH"),
        ("folder:/nowhere", {}, r"folder:PATH must name a folder, got '/nowhere', which is none"),
        ("folder:x", {"path": "y"}, r"data_options must be options of folder:x, got 'path'"),
        ("webdataset:/nowhere", {}, r"webdataset:PATH must name a folder with .tar files, got '/nowhere'"),
        ("synthetic", {"shape": "moon"}, r'shape must be one of moons, .*did you mean "moons"\?'),
        ("synthetic", {"num_classes": 3}, r"moons must be two, got num_classes=3; choose rings"),
        ("fsdd", {"form": "mfcc"}, r"form must be one of spectrogram, waveform, got form='mfcc'"),
        ("imagenet-1k", {"size": 0}, r"size must be an integer in 1..4096, got size=0"),
    ],
)
def test_wrong_names_and_options_are_refused(name, options, message):
    with pytest.raises(UsageError, match=message):
        open_data(name, options)
    if "/nowhere" not in name:
        from multimix.lab.train.settings import TrainSettings

        with pytest.raises(UsageError, match=message):  # before anything is written
            TrainSettings(data=name, data_options=options, out="o")


def test_a_data_root_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"data_root must be a folder, got data_root='.*nowhere'"):
        open_data("cifar10", root=tmp_path / "nowhere")
