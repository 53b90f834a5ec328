"""Names of files and classes from elsewhere: data with any name load and train, and no name drives the terminal."""

import os

import layouts
import pytest

from multimix.lab.command_line.main import main
from multimix.lab.core.errors import RunFailed, UsageError
from multimix.lab.core.printable import printable
from multimix.lab.data import open_data

NAMES = [b"\xff\xfe", b"two\nlines", b"\x1b[31mred\x1b]0;title\x07", b"[red]x[bold]", "\u202eleft".encode()]


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("ant 2 × 3, δ 漢", "ant 2 × 3, δ 漢"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[31m\x07\x9b", r"\x1b[31m\x07\x9b"),
        (os.fsdecode(b"\xff"), r"\udcff"),
        ("\u202eabc\u2028", r"\u202eabc\u2028"),
        ("[red]x[/]", "[red]x[/]"),
    ],
)
def test_what_cannot_be_printed_is_written_out(text, harmless):
    assert printable(text) == harmless
    harmless.encode()


def foreign(folder, per_class=4):
    """A class folder for each name, a file of each name in the first."""
    for label, name in enumerate(NAMES):
        home = os.path.join(os.fsencode(folder), name)
        os.makedirs(home)
        for number in range(per_class):
            with open(os.path.join(home, b"%d-%s.png" % (number, name)), "wb") as file:
                file.write(layouts.png(10 * label + number, 12))
    return folder


@pytest.mark.parametrize("hold_bytes", [2 << 30, 100])
def test_they_load_and_train_and_are_printed_harmlessly(tmp_path, capfd, monkeypatch, hold_bytes):
    monkeypatch.setattr("multimix.lab.data.assembly.HOLD_BYTES", hold_bytes)
    data = open_data(f"folder:{foreign(tmp_path / 'data')}")
    assert data.classes == tuple(sorted(map(os.fsdecode, NAMES)))
    assert (len(data.train), len(data.test)) == (15, 5)
    for number, name in enumerate(NAMES):
        with open(os.path.join(os.fsencode(tmp_path / "data"), name, b"%d-%s.png" % (number % 4, name)), "wb"):
            pass
    with pytest.raises(UsageError if hold_bytes > 100 else RunFailed) as stop:
        list(open_data(f"folder:{tmp_path / 'data'}").train.chunks(99))
    flags = ["--data", f"folder:{tmp_path / 'data'}", "--on-bad-file", "skip", "--model", "mlp", "--num-workers", "0"]
    length = ["--steps", "4", "--batch-size", "6", "--num-mixes", "1", "--evaluations", "2"]
    assert main(["train", *flags, *length, "--out", f"{tmp_path}/run"]) == 0
    printed = "".join(capfd.readouterr())
    for text in (str(stop.value), printed):
        assert all(line.isprintable() for line in text.splitlines())
        text.encode()
    assert r"\x1b[31mred" in printed
    assert r"two\nlines" in printed
    if hold_bytes > 100:
        assert r"\udcff\udcfe" in (tmp_path / "run" / "skipped_files.txt").read_text()


def test_names_in_shards(tmp_path, capfd):
    layouts.shards(tmp_path, ("train-0.tar", "test-0.tar"))
    files = {
        f"{os.fsdecode(name)}.{end}": content for name in NAMES for end, content in (("png", b"no"), ("cls", b"1"))
    }
    layouts.tar(tmp_path / "train-1.tar", files)
    assert len(open_data(f"webdataset:{tmp_path}", on_bad_file="skip").train) == 4
    printed = capfd.readouterr().err
    assert printed.count("\n") == 1
    assert all(line.isprintable() for line in printed.splitlines())
