"""Data sets in the Hugging Face library's forms, from Parquet files on disk: no network is needed or used."""

import io

import layouts
import numpy as np
import pytest

from multimix.lab.core.errors import UsageError
from multimix.lab.data import StreamedSplit, open_data

datasets = pytest.importorskip("datasets")
pytestmark = pytest.mark.filterwarnings("default")  # of other people's libraries


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def sound(seed):
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, layouts.sound(seed, 4000), 8000, format="WAV")
    return file.getvalue()


def write(folder, split, rows, label="label", kind="image", names=("ant", "bee"), kind_of_label="string"):
    """A Parquet file as the hub has them: encoded bytes in a structure, labels as numbers with names."""
    encode = (lambda seed: layouts.png(seed, 12)) if kind == "image" else sound
    cells = [None if seed is None else {"bytes": encode(seed), "path": f"{seed}"} for seed, _ in rows]
    feature = datasets.Image() if kind == "image" else datasets.Audio()
    target = datasets.ClassLabel(names=list(names)) if names else datasets.Value(kind_of_label)
    features = datasets.Features(
        {kind: {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}, label: target}
    )
    table = datasets.Dataset.from_dict({kind: cells, label: [value for _, value in rows]}, features=features)
    folder.mkdir(parents=True, exist_ok=True)
    import pyarrow.parquet as parquet

    final = datasets.Features({kind: feature, label: target}).arrow_schema
    parquet.write_table(
        table.data.table.replace_schema_metadata(final.metadata), folder / f"{split}-00000-of-00001.parquet"
    )


ROWS = [(seed, seed % 2) for seed in range(6)]


@pytest.mark.parametrize("hold_bytes", [2 << 30, 100])
def test_images(tmp_path, monkeypatch, hold_bytes):
    monkeypatch.setattr("multimix.lab.data.assembly.HOLD_BYTES", hold_bytes)
    write(tmp_path / "set", "train", ROWS)
    write(tmp_path / "set", "test", [(100, 1), (101, 0)])
    data = open_data(f"hf:{tmp_path / 'set'}")
    assert isinstance(data.train, StreamedSplit) == (hold_bytes == 100)
    assert (len(data.train), len(data.test), data.num_classes, data.sample_shape) == (6, 2, 2, (3, 12, 12))
    assert data.classes == ("ant", "bee")
    x, labels = next(data.test.chunks(2))
    assert labels.tolist() == [1, 0]
    mean, std = (np.array(values) for values in (data.test.prepare.mean, data.test.prepare.std))
    shown = (x[0].permute(1, 2, 0).numpy() * std + mean) * 255
    np.testing.assert_allclose(shown, layouts.pixels(100, 12, 12), atol=0.01)


def test_sounds_and_names_as_labels_and_a_split_made_here(tmp_path):
    rows = [(seed, "yes" if seed % 2 else "no") for seed in range(10)]
    write(tmp_path / "set", "train", rows, label="word", kind="audio", names=())
    data = open_data(f"hf:{tmp_path / 'set'}", {"label": "word", "form": "waveform", "seconds": 0.5})
    assert (len(data.train), len(data.test), data.sample_shape) == (8, 2, (1, 4000))
    assert data.classes == ("no", "yes")
    assert len(data.notes) == 1


def test_bad_rows(tmp_path, capsys):
    write(tmp_path / "set", "train", [(0, 0), (None, 1), (2, -1), (3, 1)])
    write(tmp_path / "set", "test", [(100, 1)])
    with pytest.raises(UsageError, match=r"got 2 bad: .* train, row 2 \(no label.*\), .* train, row .* \(empty file\)"):
        open_data(f"hf:{tmp_path / 'set'}")
    data = open_data(f"hf:{tmp_path / 'set'}", on_bad_file="skip")
    assert data.train.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "lable"}, r"label must be a column of hf:.*, got label='lable'; choose one of image, kind"),
        ({}, r"hf:.* must have one column of labels, got none; pass --data-options.label"),
    ],
)
def test_columns_that_are_not_there(tmp_path, options, message):
    write(tmp_path / "set", "train", [(0, "a"), (1, "b")], label="kind", names=())
    with pytest.raises(UsageError, match=message):
        open_data(f"hf:{tmp_path / 'set'}", options)


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: (folder / "a.parquet").write_bytes(b"PAR1 no")])
def test_what_cannot_be_fetched_is_refused(tmp_path, make):
    (tmp_path / "set").mkdir()
    make(tmp_path / "set")
    with pytest.raises(UsageError, match=r"hf:REPO must name a data set that can be fetched, got '.*set': \w+"):
        open_data(f"hf:{tmp_path / 'set'}")


def test_numbers_as_labels_some_of_them_missing(tmp_path):
    rows = [(seed, None if seed == 3 else seed % 3) for seed in range(12)]
    write(tmp_path / "set", "train", rows, names=(), kind_of_label="int64")
    data = open_data(f"hf:{tmp_path / 'set'}", on_bad_file="skip")
    assert data.num_classes == 3
    assert len(data.skipped) == 1
    assert len(data.train) + len(data.test) == 11


def test_a_named_set_comes_from_the_hub_where_no_copy_is_found(tmp_path, monkeypatch):
    for split in ("train", "test"):
        write(
            tmp_path / "set", split, [(seed, seed % 10) for seed in range(20)], label="label", names=list("abcdefghij")
        )
    found = datasets.load_dataset(str(tmp_path / "set"))
    asked = []
    monkeypatch.setattr("multimix.lab.data.files.hub.fetch", lambda repo: asked.append(repo) or found)
    data = open_data("cifar10", {"padding": 4}, root=tmp_path)
    assert asked == ["uoft-cs/cifar10"]
    assert (len(data.train), data.train.augment.padding, data.test.augment) == (20, 4, None)
    assert data.train.prepare.mean[0] == pytest.approx(125.3 / 255)


def cells(folder, split, values, labels=(0, 1), kind=None):
    """A Parquet file whose cells hold what they are given: bytes, or the path of a file."""
    import pyarrow.parquet as parquet

    stored = datasets.Features(
        {
            "image": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "label": datasets.ClassLabel(names=["ant", "bee"]),
        }
    )
    rows = {"image": values, "label": [labels[row % 2] for row in range(len(values))]}
    table = datasets.Dataset.from_dict(rows, features=stored).data.table
    final = datasets.Features({"image": kind or datasets.Image(), "label": stored["label"]})
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table.replace_schema_metadata(final.arrow_schema.metadata), folder / f"{split}.parquet")


def test_cells_name_files_of_their_own_data_set_only(tmp_path):
    home = tmp_path / "set"
    (home / "images").mkdir(parents=True)
    for place in (home / "images" / "own.png", tmp_path / "secret.png"):
        place.write_bytes(layouts.png(0, 12))
    (home / "link.png").symlink_to(tmp_path / "secret.png")
    (home / "inner.png").symlink_to(home / "images" / "own.png")
    good = [str(home / "images" / "own.png"), "images/own.png", "inner.png", "images/../images/own.png"]
    bad = [str(tmp_path / "secret.png"), "../secret.png", "link.png", "/dev/zero", "https://example.org/a.png", "a\0b"]
    cells(home, "train", [{"bytes": None, "path": path} for path in [*good, *bad]])
    cells(home, "test", [{"bytes": layouts.png(0, 12), "path": "/dev/zero"}] * 2)  # the bytes count, not their name
    with pytest.raises(
        UsageError, match=r"got 6 bad: .*row 4 \(it names a file that is not the data set's own"
    ) as stop:
        open_data(f"hf:{home}")
    assert "row 7 (it names" in str(stop.value)
    data = open_data(f"hf:{home}", on_bad_file="skip")
    assert (len(data.train), len(data.test)) == (4, 2)


def test_a_cell_larger_than_what_fits_is_a_bad_row(tmp_path, monkeypatch):
    monkeypatch.setattr("multimix.lab.data.files.hub.MAX_FILE_BYTES", 1_000)
    write(tmp_path / "set", "test", [(100, 1), (101, 0)])
    cells(
        tmp_path / "set",
        "train",
        [{"bytes": layouts.png(0, 12), "path": None}] * 4 + [{"bytes": bytes(1001), "path": None}],
    )
    with pytest.raises(UsageError, match=r"got 1 bad: .*train, row 4 \(1,001 bytes where at most 1,000 are read\)"):
        open_data(f"hf:{tmp_path / 'set'}")


def test_images_beside_a_table_of_their_names_are_found(tmp_path):
    layouts.class_folders(tmp_path / "set", ("train", "test"))
    data = open_data(f"hf:{tmp_path / 'set'}")
    assert (len(data.train), len(data.test), data.classes) == (10, 10, ("ant", "bee"))


def test_a_description_names_files_of_its_own_only(tmp_path):
    write(tmp_path / "other", "train", ROWS)
    for place in ("../other/*.parquet", f"{tmp_path}/other/*.parquet"):
        (tmp_path / "set").mkdir(exist_ok=True)
        text = f"---\nconfigs:\n- config_name: default\n  data_files: {place}\n---\n"
        (tmp_path / "set" / "README.md").write_text(text)
        with pytest.raises(UsageError, match=r"it names a file that is not the data set's own, '.*other/train"):
            open_data(f"hf:{tmp_path / 'set'}")


def test_a_folder_of_the_hubs_form_holds_regular_files_only(tmp_path):
    import os

    write(tmp_path / "set", "train", ROWS)
    os.mkfifo(tmp_path / "set" / "test-00000-of-00001.parquet")
    with pytest.raises(UsageError, match=r"test-00000-of-00001.parquet cannot be used \(no regular file but a named"):
        open_data(f"hf:{tmp_path / 'set'}")
    layouts.shards(tmp_path / "shards", ("train-0.tar",))
    with pytest.raises(UsageError, match=r"train-0.tar is a shard; give webdataset:PATH in place of hf:PATH"):
        open_data(f"hf:{tmp_path / 'shards'}")
