"""Real commands, real signals: what a user, a scheduler or the kernel does to a run, and what is left of it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import layouts
import pytest
from together import end_together, run_together, start_together

from multimix.lab.command_line.main import main
from multimix.lab.command_line.parse import parse
from multimix.lab.core.signals import Interruption
from multimix.lab.train.checkpoint import Snapshot, digest
from multimix.lab.train.run import train

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
PYTHON = [sys.executable, "-m"]
COMMAND = ROOT / "src" / "multimix" / "__main__.py"
OURS = f'File "{ROOT / "src" / "multimix"}'  # in a traceback through the package
PATIENCE_S = 120
TRAIN = ["train", "--model=mlp", "--num-mixes=2", "--batch-size=42", "--checkpoint-every=20", "--steps=160"]


class Program:
    """A command in a group of processes of its own, as a shell would start it."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            [*PYTHON, *command],
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def until(self, reached) -> None:
        def reached_or_ended() -> bool:
            assert self.process.poll() is None, self.process.communicate()[1]
            return reached()

        wait_for(reached_or_ended)

    def signal_group(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def children(self) -> list[int]:
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(number) for number in found.split()]

    def end(self) -> tuple[int, list[str]]:
        """Returns the exit code and what the program said of itself."""
        try:
            said = self.process.communicate(timeout=PATIENCE_S)[1]
        finally:
            if self.process.poll() is None:
                self.signal_group(signal.SIGKILL)
        assert OURS not in said, said  # torchrun writes tracebacks of its own
        return self.process.returncode, [line for line in said.splitlines() if line.startswith("multimix: ")]


def wait_for(reached) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def records(out: Path) -> int:
    file = out / "metrics.jsonl"
    return len(file.read_text().splitlines()) if file.exists() else 0


def newest(out: Path) -> Path:
    return max((out / "checkpoint").glob("step-*"))


def final(out: Path) -> str:
    assert (out / "evaluation.json").exists()
    return digest(Snapshot.read(newest(out)).tensors)


def trained_here(out: Path, *arguments: str) -> str:
    """The last state of the same run, never interrupted, in this process."""
    train(parse([*arguments, f"--out={out}"])[1])
    return final(out)


def test_a_run_that_reads_as_it_goes_is_stopped_and_killed_and_goes_on(tmp_path):
    """Ctrl-C reaches the processes that read data too; they end with a run that is killed."""
    layouts.imagenet(tmp_path / "images")
    run = [*TRAIN, "--data=imagenet-1k", f"--data-root={tmp_path / 'images'}", "--data-options.size=16"]
    run = [*run, "--learning-rate=0.001", "--batch-size=10", "--evaluations=2", "--checkpoint-every=10", "--steps=240"]
    out = tmp_path / "run"
    command = ["multimix", *run, "--num-workers=2", f"--out={out}"]
    program = Program(*command)
    program.until(partial(has_saved, out, 10))
    program.signal_group(signal.SIGINT)
    code, (line,) = program.end()
    assert code == 130
    assert line.startswith("multimix: stopped by SIGINT after step ")
    step = int(line.split()[6])
    assert newest(out).name == f"step-{step:09d}.safetensors"

    program = Program(*command)
    program.until(partial(has_saved, out, step))
    readers = grandchildren(program)
    assert len(readers) >= 2
    program.process.kill()
    program.end()
    wait_for(lambda: not any(Path(f"/proc/{reader}").exists() for reader in readers))

    assert main([*run, "--num-workers=0", f"--out={out}"]) == 0
    assert final(out) == trained_here(tmp_path / "straight", *run, "--num-workers=0")


def has_saved(out: Path, step: int) -> bool:
    """Whether there is a state of a later step."""
    return any(int(state.stem.removeprefix("step-")) > step for state in (out / "checkpoint").glob("step-*"))


def test_a_terminal_that_closes_stops_a_run_unless_nohup_said_otherwise():
    heard = []
    before = signal.signal(signal.SIGHUP, lambda number, frame: heard.append(number))
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGHUP)
            assert interruption.signal == "SIGHUP"
        signal.raise_signal(signal.SIGHUP)
        assert heard == [signal.SIGHUP]  # outside the block as before
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGHUP)
            assert interruption.signal is None
    finally:
        signal.signal(signal.SIGHUP, before)


COMPARE = ["compare", "--model=mlp", "--methods=mixup", "--num-mixes=1", "--batch-size=20", "--steps=100000"]
COMPARE += ["--evaluations=1000", "--checkpoint-every=never"]  # a state is there if the signal saved it
MISSING = "; the same command does what is missing"
SAVED = "; the state is saved, the same command goes on from there"


@pytest.mark.parametrize(
    ("number", "jobs", "to_group", "said"),
    [
        (signal.SIGTERM, 2, False, r"stopped by SIGTERM" + MISSING),
        (signal.SIGHUP, 2, True, r"stopped by SIGHUP" + MISSING),
        (signal.SIGTERM, 0, True, r"stopped by SIGTERM after step \d+ of 100000" + SAVED),
    ],
)
def test_a_comparison_that_is_stopped_saves_every_run_and_says_one_line(number, jobs, to_group, said, tmp_path):
    out = tmp_path / "out"
    program = Program("multimix", *COMPARE, f"--seeds={jobs or 1}", f"--jobs={jobs}", f"--out={out}")
    runs = [out / f"mixup-k1-s{seed}" for seed in range(jobs or 1)]
    program.until(lambda: all(records(run) for run in runs))
    program.signal_group(number) if to_group else program.process.send_signal(number)
    code, (line,) = program.end()
    assert code == 1
    assert re.fullmatch(f"multimix: {said}", line)
    for run in runs:
        assert Snapshot.read(newest(run)).facts["step"] >= 100


def test_ctrl_c_while_packages_are_imported_is_one_line(tmp_path):
    program = Program("multimix", *TRAIN, f"--out={tmp_path / 'run'}")
    program.until(lambda: "libtorch_cpu" in Path(f"/proc/{program.process.pid}/maps").read_text())
    program.signal_group(signal.SIGINT)
    assert program.end() == (130, ["multimix: interrupted; the same command does what is missing"])
    assert not (tmp_path / "run").exists()


INTERRUPTED_IMPORT = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy.linalg":
            sys.meta_path.remove(self)
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder())
from multimix.lab.command_line.main import main
sys.exit(main(["evaluate", "runs/none"]))
"""


def test_ctrl_c_while_numpy_is_imported_is_one_line():
    """Torch's C code imports it too, where an interrupt is lost."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "multimix: interrupted\n")


def grandchildren(program: Program) -> list[int]:
    found = []
    for child in program.children():
        found += map(int, Path(f"/proc/{child}/task/{child}/children").read_text().split())
    return found


def test_two_processes_are_stopped_killed_and_end_on_two_machines(tmp_path):
    """SIGTERM to torchrun, kill -9 of one process, then a folder for each: the state of a run never stopped."""
    straight, out = tmp_path / "straight", tmp_path / "run"
    run = [*TRAIN, f"--out={out}"]
    program = Program("torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "multimix", *run)
    program.until(lambda: records(out) >= 5)
    program.process.terminate()
    code, (line,) = program.end()
    assert code == 1
    assert line.startswith("multimix: stopped by SIGTERM after step ")
    stopped_at = newest(out)
    assert int(line.split()[6]) == Snapshot.read(stopped_at).facts["step"]

    first, second = start_together(COMMAND, run, run, said=tmp_path / "said")
    wait_for(lambda: newest(out) > stopped_at)
    second.kill()
    assert end_together([first, second]) == [1, -signal.SIGKILL]
    assert multimix_lines(tmp_path / "said") == [
        "multimix: process 0: all processes of a run must live, got one that ended; the same command goes on from the "
        "last state saved"
    ]

    assert main(run) == 2  # alone
    newest(out).write_bytes(b"")
    refused = newest(out)
    other = [*TRAIN, f"--out={tmp_path / 'second'}"]
    assert end_together(start_together(COMMAND, run, other, said=tmp_path / "said again")) == [0, 0]
    (line,) = multimix_lines(tmp_path / "said again")
    assert line.startswith(f"multimix: {refused} is refused: it is no readable safetensors file")
    assert not (tmp_path / "second").exists()
    assert json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])["images"] == 160 * 21
    run_together(COMMAND, *TRAIN, f"--out={straight}")
    assert final(out) == final(straight)


def multimix_lines(said: Path) -> list[str]:
    """What the program said of itself."""
    assert OURS not in said.read_text(), said.read_text()
    return [line for line in said.read_text().splitlines() if line.startswith("multimix: ")]
