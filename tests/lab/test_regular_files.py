"""Only regular files are read, whatever lies in a folder: nothing is waited for, nothing without an end is begun."""

import os
import socket
import threading

import layouts
import pytest
import torch

from multimix.lab.command_line.main import main
from multimix.lab.core.errors import UsageError
from multimix.lab.core.regular_files import check_regular, open_regular, read_regular
from multimix.lab.data import open_data
from multimix.lab.preview.make import read_pair
from multimix.lab.preview.settings import PreviewSettings
from multimix.lab.train.initial_weights import load_initial_weights

RELEASE_S = 5  # after which a reader that waits is let go, so that a test fails and does not hang


@pytest.fixture
def make():
    """Puts a named pipe, a socket or a device in the place of a file."""
    pipes, done = [], threading.Event()

    def release():
        while not done.wait(RELEASE_S):
            for pipe in pipes:
                os.close(os.open(pipe, os.O_RDWR))

    thread = threading.Thread(target=release, daemon=True)
    thread.start()

    def put(kind, path):
        path.unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(path)
            pipes.append(path)
        elif kind == "socket":
            home, (folder, name) = os.getcwd(), os.path.split(path)
            os.chdir(folder)  # the path of a socket may not be long
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(name)
            os.chdir(home)
        else:
            path.symlink_to("/dev/null")

    yield put
    done.set()
    thread.join()


KINDS = pytest.mark.parametrize("kind", ["pipe", "socket", "device"])


@KINDS
def test_what_is_no_regular_file_is_refused_with_its_kind(tmp_path, make, kind):
    make(kind, tmp_path / "x")
    named = {"pipe": "a named pipe", "socket": "a socket", "device": "a device"}[kind]
    for use in (open_regular, read_regular, check_regular):
        with pytest.raises(OSError, match=f"no regular file but {named}") as stop:
            use(tmp_path / "x")
        assert stop.value.filename == str(tmp_path / "x")
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path)


def test_what_is_put_in_a_files_place_between_looking_and_opening_is_not_waited_for(tmp_path, make, monkeypatch):
    (tmp_path / "file").write_bytes(b"content")
    make("pipe", tmp_path / "pipe")
    before = os.stat(tmp_path / "file")
    monkeypatch.setattr("multimix.lab.core.regular_files.os.stat", lambda path: before)
    with pytest.raises(OSError, match="no regular file but a named pipe"):
        open_regular(tmp_path / "pipe")


def test_a_file_larger_than_what_fits_is_not_read(tmp_path):
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match=r"1,099,511,627,776 bytes where at most 536,870,912 are read"):
        read_regular(tmp_path / "huge")
    (tmp_path / "small").write_bytes(b"content")
    assert read_regular(tmp_path / "small", most_bytes=7) == b"content"
    with pytest.raises(OSError, match="7 bytes where at most 6 are read"):
        read_regular(tmp_path / "small", most_bytes=6)


@KINDS
@pytest.mark.parametrize("hold_bytes", [2 << 30, 100])
def test_a_class_folder(tmp_path, make, monkeypatch, kind, hold_bytes):
    monkeypatch.setattr("multimix.lab.data.assembly.HOLD_BYTES", hold_bytes)
    layouts.class_folders(tmp_path)
    make(kind, tmp_path / "ant" / "2.png")
    data = open_data(f"folder:{tmp_path}", on_bad_file="skip")
    for split in (data.train, data.test):
        list(split.chunks(10))
    assert sum(len(labels) for split in (data.train, data.test) for _, labels in split.chunks(10)) == 9


@KINDS
def test_sounds_tables_and_shards(tmp_path, make, kind):
    home = layouts.speech_commands(tmp_path)
    make(kind, home / "bed" / "0a7c2a8d_nohash_0.wav")
    make(kind, home / "testing_list.txt")
    with pytest.raises(UsageError, match=r"got 2 bad: .*list.txt \(no regular file.*nohash_0.wav \(no regular file"):
        open_data("speech-commands", root=tmp_path)
    layouts.shards(tmp_path / "shards", ("train-0.tar", "train-1.tar", "test-0.tar"))
    make(kind, tmp_path / "shards" / "train-1.tar")
    with pytest.raises(UsageError, match=r"got 1 bad: .*train-1.tar \(no regular file"):
        open_data(f"webdataset:{tmp_path / 'shards'}")


@KINDS
def test_published_files(tmp_path, make, monkeypatch, kind):
    monkeypatch.setattr("multimix.lab.data.sets.cifar.Cifar10.records", {"train": 6, "test": 6})
    layouts.cifar10_binary(tmp_path, 6)
    make(kind, tmp_path / "cifar-10-batches-bin" / "data_batch_2.bin")
    with pytest.raises(UsageError, match=r"got 1 bad: .*data_batch_2.bin \(no regular file"):
        open_data("cifar10", root=tmp_path)
    layouts.fashion_mnist(tmp_path, 9, 4)
    make(kind, tmp_path / "fashion-mnist" / "train-images-idx3-ubyte.gz")
    with pytest.raises(UsageError, match=r"train-images-idx3-ubyte.gz \(no regular file"):
        open_data("fashion-mnist", root=tmp_path)
    layouts.cub(tmp_path)
    make(kind, next((tmp_path / "CUB_200_2011" / "images").rglob("*.jpg")))
    with pytest.raises(UsageError, match=r"got 1 bad: .*.jpg \(no regular file"):
        open_data("cub-200-2011", root=tmp_path)


@KINDS
def test_weights_pictures_sounds_series_and_settings(tmp_path, make, capsys, kind):
    make(kind, tmp_path / "w.safetensors")
    with pytest.raises(UsageError, match=r"initial_weights must be .*no regular file"):
        load_initial_weights(torch.nn.Linear(1, 1), str(tmp_path / "w.safetensors"))
    for suffix in ("png", "wav", "npy", "csv"):
        path = tmp_path / f"a.{suffix}"
        make(kind, path)
        with pytest.raises(UsageError, match=rf"got '{path}'; reading it failed: no regular file"):
            read_pair(PreviewSettings(file_a=str(path), file_b=str(path), out="x.png"))
    make(kind, tmp_path / "run.yaml")
    for flags in (["--config", f"{tmp_path}/run.yaml"], [f"--config={tmp_path}/run.yaml"]):
        assert main(["train", *flags, "--out", f"{tmp_path}/run"]) == 2
        assert "reading it failed: no regular file" in capsys.readouterr().err


def test_an_array_that_claims_more_than_its_file_holds_is_refused(tmp_path):
    import numpy as np

    np.save(tmp_path / "a.npy", np.zeros(8))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content.replace(b"(8,), }            ", b"(8000000000000,), } "))
    with pytest.raises(UsageError, match=r"its header claims more than there is memory"):
        read_pair(PreviewSettings(file_a=f"{tmp_path}/a.npy", file_b=f"{tmp_path}/a.npy", out="x.png"))
