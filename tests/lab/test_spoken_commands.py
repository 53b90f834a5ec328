"""The script that has espeak-ng speak a command set."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch

from multimix.lab.data import open_data

SCRIPT = Path(__file__).parent.parent.parent / "experiments" / "make_spoken_commands.py"
speaks = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng; apt-get install espeak-ng")


def made(*arguments, **environment):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env=os.environ | environment
    )


@speaks
def test_the_set_is_in_the_published_layout_and_the_same_for_a_seed(tmp_path):
    for name, seed in (("first", 0), ("second", 0), ("third", 1)):
        done = made(tmp_path / name, "--speakers", 10, "--takes", 1, "--seed", seed)
        assert done.returncode == 0, done.stderr
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


def test_without_espeak_it_says_what_to_do(tmp_path):
    done = made(tmp_path / "out", PATH=str(tmp_path))
    assert done.returncode == 2
    assert "espeak-ng must be installed, got none on the PATH; apt-get install espeak-ng" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--speakers", 3], "speakers must be >= 10"), ([], "out must be a new or an empty")]
)
def test_what_cannot_be_made_is_refused(tmp_path, arguments, message):
    (tmp_path / "there").write_text("something")
    out = tmp_path / "out" if arguments else tmp_path
    done = made(out, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
