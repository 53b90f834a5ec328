"""What is shown of a run: right numbers, lines that fit, nothing but text where there is no terminal."""

import io
import os
import re
import signal

import pytest
import torch
from rich.console import Console

from multimix.lab.command_line.main import main
from multimix.lab.core.errors import Interrupted
from multimix.lab.core.progress_bar import bar
from multimix.lab.train import watch as watching
from multimix.lab.train.moments import Length
from multimix.lab.train.run import train
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.state import Meter
from multimix.lab.train.watch import Pace, Watch

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
LENGTH = Length(steps=400, epoch=20.0)


def settings(out="o", **changes):
    fixed = {"method": "mixup", "num_mixes": 2, "batch_size": 40, "steps": 400, "model": "mlp", "evaluations": 4}
    return TrainSettings(**fixed | changes, out=str(out))


def record(step, time_s):
    return {"step": step, "epoch": step / 20, "time_s": time_s, "loss": 1.0, "mixed_accuracy": 0.5, "error": 0.125}


def meter(*losses):
    result = Meter(10, torch.device("cpu"))
    for loss in losses:
        result.add(torch.tensor([loss, 0.5]))
    return result


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand, in seconds."""
    now = [1000.0]
    monkeypatch.setattr(watching, "monotonic", lambda: now[0])
    return now


class TestPace:
    def test_speed_is_of_training_alone_and_of_this_session(self):
        pace = Pace(steps=1000)
        pace.look(500, 70.0, 10.0)  # the run went on from step 499
        assert pace.steps_per_s is None
        pace.look(600, 75.0, 18.0)  # 5 s of training and 3 s of evaluating
        assert pace.steps_per_s == 20
        assert pace.left_s == pytest.approx(400 * 0.08)  # on the clock a step took 0.08 s

    def test_speed_follows_the_last_looks(self):
        pace = Pace(steps=10**6)
        for look in range(1000):
            pace.look(look, look * 1.0, look * 1.0)
        for look in range(200):
            pace.look(1000 + 10 * look, 1000.0 + look, 1000.0 + look)
        assert pace.steps_per_s == pytest.approx(10)


def test_on_a_terminal_a_live_line_fits_the_width(clock):
    for width in (40, 60, 80, 200):
        console = Console(file=io.StringIO(), force_terminal=True, force_interactive=True, width=width)
        watch = Watch(settings(), console)
        watch.on_step(1, 10.0, meter(9.0), LENGTH)
        clock[0] += 5
        watch.on_step(101, 14.0, meter(2.0, 3.0), LENGTH)
        watch.on_record(record(101, 14.0))
        plain = Console(file=io.StringIO(), width=width)
        plain.print(watch)
        lines = plain.file.getvalue().splitlines()
        text = "  ".join(line.strip() for line in lines)
        assert max(map(len, lines)) <= width
        assert len(lines) <= 4
        for item in ("epoch 5.0/20", "step 101/400", "loss 2.500", "mixed accuracy 50.0%", "test error 12.50%"):
            assert item in text
        assert "500 images/s" in text  # 25 steps of 20 pairs per second, each row being half an image
        assert "15 s left" in text  # 299 steps at 20 per second of the clock


def test_the_device_is_asked_twice_per_second_at_most(clock, monkeypatch):
    console = Console(file=io.StringIO(), force_terminal=True, force_interactive=True, width=80)
    read, values = [], meter(1.0)
    monkeypatch.setattr(Meter, "read", lambda self: read.append(clock[0]) or torch.zeros(1, 2))
    with Watch(settings(), console) as watch:
        for step in range(1000):
            clock[0] += 0.01
            watch.on_step(step + 1, clock[0], values, LENGTH)
    assert 18 <= len(read) <= 20


def test_without_a_terminal_the_device_is_never_asked(clock, monkeypatch):
    monkeypatch.setattr(Meter, "read", lambda self: pytest.fail("read"))
    with Watch(settings(), Console(file=io.StringIO(), width=160)) as watch:
        for step in range(10):
            clock[0] += 1
            watch.on_step(step + 1, clock[0], meter(1.0), LENGTH)


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_a_terminal_there_is_a_plain_line_per_record(tmp_path, capfd, monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    command = ["train", "--steps", "6", "--evaluations", "3", "--model", "mlp", "--out", str(tmp_path / "run")]
    assert main(command) == 0
    printed = capfd.readouterr().out
    *lines, last = printed.splitlines()
    assert len(lines) == 3
    assert not CONTROL.search(printed)
    assert all(re.fullmatch(r"step .* test error [\d. ]+%  [\d,]+ images/s  \d+ s left", line) for line in lines)
    assert last.endswith("finished")


def test_a_terminal_is_left_clean(tmp_path):
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, force_interactive=True, width=100, highlight=False)
    run = settings(tmp_path, steps=40)

    def stop(line):
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted), Watch(run, console) as watch:
        train(run, on_step=watch.on_step, on_record=stop)
    assert written.getvalue().count("\x1b[?25l") == written.getvalue().count("\x1b[?25h") == 1  # the cursor is back
    assert "step 1/40" in written.getvalue()
    written.truncate(0)
    with Watch(run, console) as watch:
        train(run, on_step=watch.on_step, on_record=watch.on_record)
    assert "step 11/40" in written.getvalue()  # where the run went on
    assert written.getvalue().count("step    20  epoch") == 1


def test_watching_changes_nothing(tmp_path):
    from safetensors.torch import load_file

    console = Console(file=io.StringIO(), force_terminal=True, force_interactive=True, width=100, highlight=False)
    for name in ("a", "b"):
        run = settings(tmp_path / name, steps=20)
        with Watch(run, console) as watch:
            train(run, **({"on_step": watch.on_step} if name == "b" else {}))
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("a", "b"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_bar_is_drawn_on_a_terminal_only():
    for is_terminal in (True, False):
        screen = io.StringIO()
        with bar(Console(file=screen, force_terminal=is_terminal, width=80)) as advance:
            advance("drawing", 0.25)
        assert ("drawing" in screen.getvalue()) is is_terminal
        assert ("\x1b" in screen.getvalue()) is is_terminal
