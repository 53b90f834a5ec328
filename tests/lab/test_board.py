"""What is shown of a comparison under way."""

import io

import pytest
from rich.console import Console

from multimix.lab.compare import board as boards
from multimix.lab.compare.board import Board
from multimix.lab.train.settings import TrainSettings


@pytest.mark.parametrize("is_terminal", [False, True])
def test_the_time_left_follows_from_the_rows_since_the_first(monkeypatch, tmp_path, is_terminal):
    now = [0.0]
    monkeypatch.setattr(boards, "monotonic", lambda: now[0])
    steps = (100, 300, 200)
    runs = [TrainSettings(steps=steps[i], batch_size=20, out=f"{tmp_path}/run-{i}") for i in range(3)]
    console = Console(file=io.StringIO(), width=160, force_terminal=is_terminal, force_interactive=is_terminal)
    board = Board(runs, {}, console)

    def shown():
        if is_terminal:
            console.print(board._render())
        return console.file.getvalue().rstrip().splitlines()[-1]

    for run, time_s in zip(runs, (25.0, 55.0, 75.0), strict=True):
        board.started(run)
        now[0] = time_s
        board.ended(run, None)
        said = shown()
        done = runs.index(run) + 1
        left = {2: "20 s"}.get(done)  # 300 steps at 10 a second since the first run, which had to start; 200 to go
        assert (f", about {left} left" in said) if left else ("left" not in said)
        assert (f"{done} of 3 runs" if is_terminal else f"{done}/3  run-{done - 1}") in said
