"""The script that has espeak-ng speak a command set."""

import runpy
import shutil
import sys
from pathlib import Path

import pytest
import soundfile
import torch

from multimix.lab.data import open_data

SCRIPT = Path(__file__).parent.parent.parent / "experiments" / "make_spoken_commands.py"
speaks = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng; apt-get install espeak-ng")


@pytest.fixture
def make(monkeypatch):
    """Runs the script with arguments, in this process; returns its exit code."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        return ended.value.code

    return run


@speaks
def test_the_set_is_in_the_published_layout_and_the_same_for_a_seed(make, tmp_path):
    for name, seed in (("first", 0), ("second", 0), ("third", 1)):
        assert not make(tmp_path / name, "--speakers", 10, "--takes", 1, "--seed", seed)
    contents = {
        name: {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("first", "second", "third")
    }
    assert contents["first"] == contents["second"]
    assert contents["first"] != contents["third"]
    for file in (tmp_path / "first" / "yes").iterdir():
        info = soundfile.info(file)
        assert (info.samplerate, info.frames, info.channels, info.subtype) == (16_000, 16_000, 1, "PCM_16")
    data = open_data("speech-commands", {"form": "waveform"}, root=tmp_path / "first")
    assert data.classes == ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
    assert (len(data.train), len(data.validation), len(data.test)) == (80, 10, 10)
    assert data.test.labels.tolist() == list(range(10))
    sounds = torch.cat([data.train.x, data.validation.x, data.test.x]).flatten(1)
    assert (sounds.abs().amax(1) > 1000).all()  # someone speaks in every one
    assert len({tuple(sound.tolist()) for sound in sounds}) == 100  # and nothing is said twice in the same way
    speakers = [
        {line.split("/")[1].split("_")[0] for line in (tmp_path / "first" / name).read_text().splitlines()}
        for name in ("validation_list.txt", "testing_list.txt")
    ]
    assert not speakers[0] & speakers[1]


def test_without_espeak_it_says_what_to_do(make, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert make(tmp_path / "out") == 2
    assert "espeak-ng must be installed, got none on the PATH; apt-get install espeak-ng" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--speakers", 3], "speakers must be >= 10"), ([], "out must be a new or an empty")]
)
def test_what_cannot_be_made_is_refused(make, tmp_path, capsys, arguments, message):
    (tmp_path / "there").write_text("something")
    assert make(tmp_path / "out" if arguments else tmp_path, *arguments) == 2
    assert message in capsys.readouterr().err
