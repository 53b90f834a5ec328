"""Files that cannot be used: made for real, named, counted, and refused or skipped as was asked."""

import struct
from dataclasses import replace

import layouts
import pytest
import torch
from PIL import Image

from multimix.lab.core.errors import RunFailed, UsageError
from multimix.lab.data import SampleOrder, open_data
from multimix.lab.data.sets.cifar import CLASSES
from multimix.lab.evaluate.localization import Localization
from multimix.lab.models import build_model


def cut(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


def text(path):
    path.write_text("this is no picture\n")


def check(name, root, capsys, bad, left, options=None):
    """A set with bad files is refused with every name and reason, and skipping leaves out exactly those."""
    with pytest.raises(
        UsageError, match=rf"every file of .* must be usable, got {len(bad)} bad: .*--on-bad-file skip"
    ) as stop:
        open_data(name, options, root=root)
    data = open_data(name, options, root=root, on_bad_file="skip")
    told = capsys.readouterr().err
    assert f": skipped {len(bad)} bad: " in told
    for file, reason in bad.items():
        for message in (str(stop.value), told, " ".join(map(str, data.skipped))):
            assert file in message
            assert reason in message
    assert len(data.skipped) == len(bad)
    assert (len(data.train), len(data.test)) == left
    return data


def test_tiny_imagenet(tmp_path, capsys):
    home = layouts.tiny_imagenet(tmp_path)
    folders = [home / "train" / wnid / "images" for wnid in sorted(layouts.WNIDS)]
    cut(folders[0] / f"{layouts.WNIDS[0]}_1.JPEG", 0.6)
    (folders[1] / f"{layouts.WNIDS[1]}_0.JPEG").write_bytes(b"")
    layouts.jpeg(folders[2] / f"{layouts.WNIDS[2]}_2.JPEG", 0, 60, 64)
    (home / "val" / "images" / "val_1.JPEG").unlink()
    bad = {"_1.JPEG": "truncated", "_0.JPEG": "empty file", "_2.JPEG": "64 × 60 pixels where 64 × 64 are usual"}
    data = check("tiny-imagenet", tmp_path, capsys, bad | {"val_1.JPEG": "missing"}, (6, 3))
    # What goes with a sample goes with it.
    assert data.train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    torch.testing.assert_close(data.train.boxes[:, 0] * 64, torch.tensor([0.0, 2, 1, 2, 0, 1]))
    assert data.test.labels.tolist() == [2, 0, 2]


def test_tiny_imagenet_annotations(tmp_path, capsys):
    home = layouts.tiny_imagenet(tmp_path)
    lines = (home / "val" / "val_annotations.txt").read_text().splitlines()
    lines[0] = lines[0].replace(layouts.WNIDS[2], "n99999999")
    lines[2] = "val_2.JPEG\tn01440764\t0\t16\tabc\t47"
    (home / "val" / "val_annotations.txt").write_text("\n".join(lines))
    bad = {"val_annotations.txt, line 1": "no name, known class and box", "line 3": "no name, known class and box"}
    check("tiny-imagenet", tmp_path, capsys, bad | {"val_0.JPEG": "not listed", "val_2.JPEG": "not listed"}, (9, 2))


def test_a_folder(tmp_path, capsys):
    layouts.class_folders(tmp_path, ("train", "test"))
    text(tmp_path / "train" / "ant" / "2.png")
    text(tmp_path / "train" / "ant" / "notes.txt")
    (tmp_path / "train" / "ant" / ".DS_Store").write_text("ignored")
    (tmp_path / "train" / "cow").mkdir()
    (tmp_path / "test" / "zebra").mkdir()
    cut(tmp_path / "test" / "bee" / "0.png", 0.5)
    bad = {"2.png": "no image", "notes.txt": "its name ends in none of", "train/cow": "without samples"}
    bad |= {"test/zebra": "a folder of no known class", "test/cow": "missing", "test/bee/0.png": "broken image"}
    layouts_left = (9, 9)
    with pytest.raises(UsageError, match="got 6 bad"):
        open_data(f"folder:{tmp_path}")
    data = open_data(f"folder:{tmp_path}", on_bad_file="skip")
    assert (len(data.train), len(data.test)) == layouts_left
    told = " ".join(map(str, data.skipped))
    assert all(file in told and reason in told for file, reason in bad.items())
    assert ": skipped 6 bad: " in capsys.readouterr().err


def test_what_lies_in_the_wrong_place(tmp_path, capsys):
    layouts.class_folders(tmp_path, ("train", "test"))
    (tmp_path / "train" / "9.png").write_bytes(layouts.png(0, 12))
    (tmp_path / "train" / "ant" / "._0.png").write_bytes(b"left by macOS")
    (tmp_path / "extra" / "ant").mkdir(parents=True)
    bad = {"train/9.png": "in no class folder", "extra": "a folder of no known split, beside train"}
    check(f"folder:{tmp_path}", None, capsys, bad, (10, 10))


def test_a_folder_with_a_test_split_only_is_refused(tmp_path):
    layouts.class_folders(tmp_path, ("test",))
    with pytest.raises(UsageError, match=r"must have splits train and test \(or val\), got test; rename them"):
        open_data(f"folder:{tmp_path}")


def test_tiny_imagenets_layout_has_one_size(tmp_path):
    home = layouts.tiny_imagenet(tmp_path)
    with pytest.raises(UsageError, match=r"size must be left out for Tiny-ImageNet's layout, got size=32"):
        open_data(f"folder:{home}", {"size": 32})


def test_tables_that_are_no_text_and_boxes_that_are_none(tmp_path, capsys):
    home = layouts.tiny_imagenet(tmp_path)
    boxes = home / "train" / layouts.WNIDS[0] / f"{layouts.WNIDS[0]}_boxes.txt"
    boxes.write_text(boxes.read_text().replace("\t31\t", "\t²\t", 1))
    (home / "train" / layouts.WNIDS[1] / f"{layouts.WNIDS[1]}_boxes.txt").write_bytes(b"\xff\xfe\x00")
    bad = {f"{layouts.WNIDS[0]}_boxes.txt, line 1": "no name and box", f"{layouts.WNIDS[1]}_boxes.txt": "no text"}
    check("tiny-imagenet", tmp_path, capsys, bad, (9, 4))


def test_a_copy_without_its_training_folder_is_refused(tmp_path):
    home = layouts.tiny_imagenet(tmp_path)
    (home / "train").rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"train \(missing\)|must have samples to train on"):
        open_data("tiny-imagenet", root=tmp_path)
    for name in CLASSES:
        layouts.jpeg(tmp_path / "cifar10" / "train" / name / "0.jpg", 0, 32, 32)
    with pytest.raises(UsageError, match=r"cifar10/test \(missing\)"):
        open_data("cifar10", root=tmp_path)


def test_pixels_all_broken_behind_good_headers(tmp_path):
    layouts.class_folders(tmp_path, ("train", "test"))
    for file in (tmp_path / "train").rglob("*.png"):
        cut(file, 0.5)
    with pytest.raises(UsageError, match=r"must hold images that can be decoded, got none"):
        open_data(f"folder:{tmp_path}", on_bad_file="skip")


def test_a_policy_that_is_none_is_refused():
    with pytest.raises(UsageError, match=r"on_bad_file must be one of refuse, skip, got on_bad_file='ignore'"):
        open_data("digits", on_bad_file="ignore")


def test_truncated_flac(tmp_path, capsys):
    import soundfile

    for name in ("ant", "bee"):
        for number in range(5):
            (tmp_path / name).mkdir(exist_ok=True)
            soundfile.write(tmp_path / name / f"{number}.flac", layouts.sound(number, 8_000), 8_000)
    cut(tmp_path / "ant" / "1.flac", 0.6)
    check(f"folder:{tmp_path}", None, capsys, {"ant/1.flac": "sound"}, (7, 2))


def test_a_file_that_may_not_be_read_is_named(tmp_path, capsys, monkeypatch):
    layouts.class_folders(tmp_path)
    (tmp_path / "ant" / "3.png").unlink()
    (tmp_path / "ant" / "3.png").symlink_to(tmp_path / "ant" / "3.png")  # readable by nobody, root included
    data = check(f"folder:{tmp_path}", None, capsys, {"ant/3.png": "Too many levels of symbolic links"}, (7, 2))
    assert data.num_classes == 2


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: text(folder / "a.txt")])
def test_a_folder_without_classes_is_refused_either_way(tmp_path, make):
    make(tmp_path)
    with pytest.raises(UsageError, match=r"must hold one folder per class, got none"):
        open_data(f"folder:{tmp_path}", on_bad_file="skip")


def test_nothing_left_is_refused_even_when_skipping(tmp_path):
    layouts.class_folders(tmp_path, ("train", "test"))
    for file in (tmp_path / "test").rglob("*.png"):
        text(file)
    with pytest.raises(UsageError, match=r"must have samples to test on, got none that can be used"):
        open_data(f"folder:{tmp_path}", on_bad_file="skip")


@pytest.fixture
def few_records(monkeypatch):
    monkeypatch.setattr("multimix.lab.data.sets.cifar.Cifar10.records", {"train": 6, "test": 6})
    monkeypatch.setattr("multimix.lab.data.sets.cifar.Cifar100.records", {"train": 12, "test": 5})


def test_cifar10_binary(tmp_path, few_records, capsys):
    layouts.cifar10_binary(tmp_path, 6)
    home = tmp_path / "cifar-10-batches-bin"
    cut(home / "data_batch_2.bin", 0.9)
    (home / "data_batch_3.bin").write_bytes((home / "data_batch_3.bin").read_bytes() + b"x")
    (home / "data_batch_4.bin").unlink()
    wrong = bytearray((home / "data_batch_5.bin").read_bytes())
    wrong[2 * 3073] = 200
    (home / "data_batch_5.bin").write_bytes(wrong)
    bad = {"data_batch_2.bin": "16,594 bytes where 18,438 are published", "data_batch_3.bin": "18,439 bytes where"}
    bad |= {"data_batch_4.bin": "missing", "data_batch_5.bin, record 2": "label 200 where there are 10 classes"}
    check("cifar10", tmp_path, capsys, bad, (11, 6))


def test_without_its_test_file_cifar_is_refused_either_way(tmp_path, few_records):
    layouts.cifar10_binary(tmp_path, 6)
    (tmp_path / "cifar-10-batches-bin" / "test_batch.bin").unlink()
    with pytest.raises(UsageError, match=r"cifar10 must have samples to test on, got none that can be used"):
        open_data("cifar10", root=tmp_path, on_bad_file="skip")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda home: cut(home / "train-images-idx3-ubyte.gz", 0.5), "broken gzip file"),
        (lambda home: text(home / "train-labels-idx1-ubyte.gz"), "broken gzip file"),
        (lambda home: (home / "train-labels-idx1-ubyte.gz").unlink(), "missing"),
        (lambda home: idx(home, 2051, 9), "its header is another"),
        (lambda home: idx(home, 2049, 10), "9 bytes of data where its header says 10"),
        (lambda home: idx(home, 2049, 8, b"\0" * 8), "8 labels for 9 images"),
        (lambda home: idx(home, 2049, 9, b"\0" * 8 + b"\x0b"), "label 11 where there are 10 classes"),
        (lambda home: idx(home, 2049, 9, b""), "0 bytes of data where"),
    ],
)
def test_fashion_mnist(tmp_path, damage, reason):
    layouts.fashion_mnist(tmp_path, 9, 4)
    damage(tmp_path / "fashion-mnist")
    with pytest.raises(UsageError, match=reason) as stop:
        open_data("fashion-mnist", root=tmp_path)
    assert "train-" in str(stop.value)
    if "label 11" in reason:
        data = open_data("fashion-mnist", root=tmp_path, on_bad_file="skip")
        assert (len(data.train), len(data.skipped)) == (8, 1)
    else:
        with pytest.raises(UsageError, match=r"must have samples to train on"):
            open_data("fashion-mnist", root=tmp_path, on_bad_file="skip")


def idx(home, magic, count, content=b"\0" * 9):
    (home / "train-labels-idx1-ubyte.gz").unlink()
    (home / "train-labels-idx1-ubyte").write_bytes(struct.pack(">ii", magic, count) + content)


def test_speech_commands(tmp_path, capsys):
    home = layouts.speech_commands(tmp_path)
    layouts.wav(home / "bed" / "0a7c2a8d_nohash_0.wav", 0, 16_000, 0)
    cut(home / "bed" / "0a7c2a8d_nohash_1.wav", 0.5)
    (home / "left" / "0a7c2a8d_nohash_3.wav").unlink()
    layouts.wav(home / "right" / "0a7c2a8d_nohash_0.wav", 0, 8_000, 8_000)
    text(home / "right" / "0a7c2a8d_nohash_1.wav")
    bad = {"bed/0a7c2a8d_nohash_0.wav": "a sound of length 0", "bed/0a7c2a8d_nohash_1.wav": "bytes are missing"}
    bad |= {"left/0a7c2a8d_nohash_3.wav": "listed but missing", "right/0a7c2a8d_nohash_1.wav": "no sound"}
    bad |= {"right/0a7c2a8d_nohash_0.wav": "8,000 samples a second where 16,000 are usual"}
    check("speech-commands", tmp_path, capsys, bad, (2, 2))


def test_speech_commands_listed_twice_and_lists_that_are_no_text(tmp_path, capsys):
    home = layouts.speech_commands(tmp_path)
    with (home / "testing_list.txt").open("a") as file:
        file.write("bed/0a7c2a8d_nohash_2.wav\n")
    bad = {"bed/0a7c2a8d_nohash_2.wav": "listed for validation and for testing"}
    check("speech-commands", tmp_path, capsys, bad, (6, 3))
    (home / "testing_list.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"testing_list.txt \(no text\)"):
        open_data("speech-commands", root=tmp_path)


def test_sound_written_as_it_came_has_no_size_to_check(tmp_path):
    home = layouts.fsdd(tmp_path)
    file = home / "recordings" / "0_theo_0.wav"
    content = bytearray(file.read_bytes())
    content[40:44] = struct.pack("<I", 0x7FFFF000)
    content[4:8] = struct.pack("<I", 0x7FFFF024)
    file.write_bytes(content)
    assert len(open_data("fsdd", root=tmp_path).test) == 20


def test_fsdd(tmp_path, capsys):
    home = layouts.fsdd(tmp_path)
    (home / "recordings" / "3_theo_4.wav").write_bytes(b"")
    (home / "recordings" / "eleven_theo_4.wav").write_bytes(b"")
    bad = {"3_theo_4.wav": "empty file", "eleven_theo_4.wav": "its name is not <digit>_<speaker>_<number>.wav"}
    check("fsdd", tmp_path, capsys, bad, (20, 19))


def test_cub(tmp_path, capsys):
    home = layouts.cub(tmp_path)
    first = sorted((home / "images" / "001.Black_footed_Albatross").iterdir())
    first[0].unlink()
    text(first[2])
    for name, line in (("bounding_boxes.txt", 4), ("image_class_labels.txt", 5)):
        lines = (home / name).read_text().splitlines()
        lines[line] = f"{line + 1} 7" if "labels" in name else f"{line + 1} 1.0 2.0"
        (home / name).write_text("\n".join(lines))
    (home / "train_test_split.txt").write_text("\n".join((home / "train_test_split.txt").read_text().splitlines()[:-1]))
    bad = {"_1.jpg": "missing", "_3.jpg": "no image", "image 6": "class 7 is not in classes.txt"}
    bad |= {"image 5": "no box of four numbers", "image 8": "not in train_test_split.txt"}
    check("cub-200-2011", tmp_path, capsys, bad, (1, 2), {"size": 16})


def test_cub_tables(tmp_path, capsys):
    home = layouts.cub(tmp_path)
    for name, line in (
        ("image_class_labels.txt", "1"),
        ("bounding_boxes.txt", "2 nan 1 2 3"),
        ("images.txt", "3 x.jpg"),
    ):
        lines = (home / name).read_text().splitlines()
        place = int(line[0]) - 1
        (home / name).write_text("\n".join([*lines[:place], line, *lines[place + (name != "images.txt") :]]))
    bad = {"image_class_labels.txt, line 1": "nothing but a number", "image 1": "not in image_class_labels.txt"}
    bad |= {"image 2": "no box of four numbers", "images.txt, line 4": "its number again"}
    with pytest.raises(UsageError, match="got 5 bad") as stop:
        open_data("cub-200-2011", root=tmp_path)
    assert all(file in str(stop.value) and reason in str(stop.value) for file, reason in bad.items())


def test_names_in_tables_lead_nowhere_else(tmp_path, capsys):
    home = layouts.cub(tmp_path)
    layouts.jpeg(tmp_path / "secret.jpg", 0, 50, 50)
    lines = (home / "images.txt").read_text().splitlines()
    lines[0], lines[1], lines[2] = f"1 {tmp_path}/secret.jpg", "2 ../../secret.jpg", "3 a\0b.jpg"
    (home / "images.txt").write_text("\n".join(lines))
    bad = {f"image {number}": "it names a file outside of the folder" for number in (1, 2, 3)}
    check("cub-200-2011", tmp_path, capsys, bad, (2, 3), {"size": 16})
    home = layouts.tiny_imagenet(tmp_path)
    layouts.jpeg(tmp_path / "other" / "images" / "0.jpg", 0, 64, 64)
    with (home / "wnids.txt").open("a") as file:
        file.write("../../other\n")
    lines = (home / "val" / "val_annotations.txt").read_text().splitlines()
    lines[0] = lines[0].replace("val_0", "../../../secret")
    lines[1] = lines[1].replace("\t0\t16", f"\t0\t{'9' * 5000}")
    (home / "val" / "val_annotations.txt").write_text("\n".join(lines))
    bad = {"wnids.txt": "it names a folder outside of its own, ../../other"}
    bad |= {f"val_annotations.txt, line {number}": "no name, known class and box" for number in (1, 2)}
    check("tiny-imagenet", tmp_path, capsys, bad | {f"val_{n}.JPEG": "not listed" for n in (0, 1)}, (9, 2))


def test_imagenet_without_its_validation_images(tmp_path):
    home = layouts.imagenet(tmp_path)
    (home / "val").rename(home / "test")
    with pytest.raises(UsageError, match=r"val \(missing\)"):
        open_data("imagenet-1k", root=tmp_path)
    with pytest.raises(UsageError, match=r"must have samples to test on"):
        open_data("imagenet-1k", root=tmp_path, on_bad_file="skip")


def test_shards(tmp_path, capsys):
    layouts.shards(tmp_path, ("train-0.tar", "train-1.tar", "test-0.tar"))
    cut(tmp_path / "train-1.tar", 0.25)
    layouts.tar(
        tmp_path / "test-0.tar", {"a.cls": b"1", "a.png": b"no picture", "b.png": b"", "c.cls": b"one", "c.png": b""}
    )
    layouts.tar(tmp_path / "test-1.tar", {"a.cls": b"0", "a.png": layouts.png(0, 12)})
    bad = {"train-1.tar": "broken tar file", "test-0.tar, a.png": "no image"}
    bad |= {f"test-0.tar, {name}.png": "no .cls with a class number beside it" for name in "bc"}
    with pytest.raises(UsageError, match="must be usable") as stop:
        open_data(f"webdataset:{tmp_path}")
    data = open_data(f"webdataset:{tmp_path}", on_bad_file="skip")
    told = " ".join(map(str, data.skipped))
    assert all(file in told and reason in told for file, reason in bad.items())
    assert "train-1.tar" in str(stop.value)
    assert 4 <= len(data.train) < 8
    assert len(data.test) == 1


def test_what_is_wrong_within_shards(tmp_path, capsys):
    png = layouts.png(0, 12)
    good = {"a.png": png, "a.cls": b"0", "b.png": png, "b.cls": b"1", "b.json": b"{}"}
    again = {"c.png": png, "c.jpg": png, "c.cls": b"1", "d.cls": b"1", "e.seg.png": png}
    layouts.tar(tmp_path / "train-0.tar", good | again)
    layouts.tar(tmp_path / "test-0.tar", {"a.png": png, "a.cls": b"0", "b.png": png, "b.cls": b"7"})
    (tmp_path / "train-1.tar").symlink_to(tmp_path / "nowhere")
    bad = {"c.jpg": "a second one of the same sample", "d.cls": "no image or sound beside it"}
    bad |= {"test-0.tar, b.png": "class 7 where training has none above 1", "train-1.tar": "missing"}
    check(f"webdataset:{tmp_path}", None, capsys, bad, (3, 1))


def test_a_shard_cut_between_two_files_is_noticed(tmp_path):
    layouts.shards(tmp_path, ("train-0.tar", "test-0.tar"))
    content = (tmp_path / "train-0.tar").read_bytes()
    (tmp_path / "train-0.tar").write_bytes(content[: content.index(b"000/000002.png")])
    with pytest.raises(UsageError, match=r"train-0.tar \(it does not end as a tar file does: truncated\)"):
        open_data(f"webdataset:{tmp_path}")


def test_many_bad_files_are_counted_and_not_all_listed(tmp_path, capsys):
    layouts.class_folders(tmp_path, per_class=20)
    for number in range(9):
        text(tmp_path / "ant" / f"{number}.png")
    with pytest.raises(UsageError, match=r"got 9 bad: .*0.png \(no image\).*, and 4 more \(no image\); mend them"):
        open_data(f"folder:{tmp_path}")


def damaged_imagenet(tmp_path):
    home = layouts.imagenet(tmp_path)
    cut(home / "train" / layouts.WNIDS[0] / f"{layouts.WNIDS[0]}_17.JPEG", 0.5)
    text(home / "val" / layouts.WNIDS[1] / "ILSVRC2012_val_000010.JPEG")
    return home


@pytest.mark.parametrize("num_workers", [0, 1])
def test_streamed_a_bad_file_ends_the_run_with_its_name(tmp_path, num_workers):
    damaged_imagenet(tmp_path)
    data = open_data("imagenet-1k", {"size": 16}, root=tmp_path, num_workers=num_workers)
    with pytest.raises(RunFailed, match=r"every file must be usable, got .*_17.JPEG \(broken image: .*; mend it"):
        list(data.train.batches(SampleOrder(12, 4, seed=0), range(3)))
    with pytest.raises(RunFailed, match=r"val_000010.JPEG \(no image\)"):
        list(data.test.chunks(4))


def test_streamed_a_bad_files_place_is_taken_by_the_next_and_told_once(tmp_path, capsys):
    damaged_imagenet(tmp_path)
    data = open_data("imagenet-1k", {"size": 16}, root=tmp_path, on_bad_file="skip")
    order = SampleOrder(12, 4, seed=0)
    batches = list(data.train.batches(order, range(6)))
    labels = torch.cat([labels for _, labels in batches])
    assert all(len(x) == 4 for x, _ in batches)
    assert labels.bincount().tolist() == [8, 8, 8]  # the next one is of the same class here
    told = capsys.readouterr().err
    assert told.count("_17.JPEG") == 1
    assert "; 1 so far" in told
    x, labels = next(data.test.chunks(10))
    assert labels.tolist() == [0, 0, 1, 2, 2]  # in testing nothing is put in its place
    assert len(x) == 5


def test_streamed_boxes_go_with_their_samples(tmp_path, capsys):
    home = layouts.cub(tmp_path)
    images = sorted((home / "images").rglob("*.jpg"))
    tested = [image for image in images if image.stem.split("_")[-2] in ("0002", "0003")]
    cut(tested[1], 0.5)
    lines = (home / "bounding_boxes.txt").read_text().splitlines()
    lines[2] = "3 0.0 0.0 5.0 5.0"  # the first test image's lies outside of the middle
    lines[6] = "7 60.0 27.0 10.0 50.0"
    (home / "bounding_boxes.txt").write_text("\n".join(lines))
    data = open_data("cub-200-2011", {"size": 32}, root=tmp_path, on_bad_file="skip")
    model = build_model("small-cnn", data.sample_shape, 2)
    values = Localization()(model, data)
    assert "_0003_4.jpg" in capsys.readouterr().err
    left = Localization()(model, replace(data, test=data.test.subset(torch.tensor([2, 3]))))
    assert values == left
    assert 0 < values["localization_iou"] < 1


def test_streamed_nothing_usable_ends_the_run(tmp_path, capsys):
    home = layouts.imagenet(tmp_path)
    for file in (home / "train").rglob("*.JPEG"):
        text(file)
    data = open_data("imagenet-1k", {"size": 16}, root=tmp_path, on_bad_file="skip")
    with pytest.raises(RunFailed, match=r"a batch must hold at least one usable file, got none"):
        next(data.train.batches(SampleOrder(12, 4, seed=0), range(1)))


def test_streamed_a_chunk_without_any_usable_file_is_left_out_in_testing(tmp_path):
    damaged_imagenet(tmp_path)
    data = open_data("imagenet-1k", {"size": 16}, root=tmp_path, on_bad_file="skip")
    labels = torch.cat([labels for _, labels in data.test.chunks(1)])
    assert labels.tolist() == [0, 0, 1, 2, 2]
    only = data.test.subset(torch.tensor([2]))
    with pytest.raises(RunFailed, match=r"a split must hold at least one usable file, got none"):
        list(only.chunks(1))


def test_folders_one_level_too_deep_are_named(tmp_path):
    for name in ("ant", "bee"):
        layouts.class_folders(tmp_path / name)
    with pytest.raises(UsageError, match=r"every file of folder .* must be usable, got \d+ bad: .*/ant/ant \(its name"):
        open_data(f"folder:{tmp_path}")
    with pytest.raises(UsageError, match=r"must have samples to train on"):
        open_data(f"folder:{tmp_path}", on_bad_file="skip")


def test_too_few_samples_for_a_test_split_are_no_fault_of_the_files(tmp_path):
    layouts.class_folders(tmp_path, per_class=2)
    with pytest.raises(UsageError, match=r"test_share must leave samples on both sides, got test_share=0\.2 of 4 samp"):
        open_data(f"folder:{tmp_path}")
    assert len(open_data(f"folder:{tmp_path}", {"test_share": 0.5}).test) == 2


def test_grey_and_coloured_images_of_one_size_have_one_size(tmp_path):
    layouts.class_folders(tmp_path, per_class=6)
    for file in (tmp_path / "ant").iterdir():
        Image.open(file).convert("L").save(file)
    assert open_data(f"folder:{tmp_path}").sample_shape == (3, 12, 12)


def test_an_empty_class_is_named_where_labels_are_counted(tmp_path):
    layouts.class_folders(tmp_path, per_class=6)
    (tmp_path / "cat").mkdir()
    data = open_data(f"folder:{tmp_path}", on_bad_file="skip")
    with pytest.raises(UsageError, match=r"every class must have samples to train on .* got none of class cat; take"):
        data.with_splits(0.0, 2, 0)
