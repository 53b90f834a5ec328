"""Real commands, real signals: what a user, a scheduler or the kernel does to a run, and what is left of it."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import layouts
from together import free_port, run_together

from multimix.lab.command_line.main import main
from multimix.lab.command_line.parse import parse
from multimix.lab.core.signals import Interruption
from multimix.lab.train.checkpoint import Snapshot, digest
from multimix.lab.train.run import train

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
PYTHON = [sys.executable, "-m"]
TORCHRUN = [*PYTHON, "torch.distributed.run"]
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
        deadline = time.monotonic() + PATIENCE_S
        while not reached():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.01)

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
        assert "Traceback" not in said or "torch/distributed/run.py" in said, said  # torchrun's own
        return self.process.returncode, [line for line in said.splitlines() if line.startswith("multimix: ")]


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
    """Ctrl-C, and what torchrun sends, reaches the processes that read data too; they end with a run that is killed."""
    layouts.imagenet(tmp_path / "images")
    run = [*TRAIN, "--data=imagenet-1k", f"--data-root={tmp_path / 'images'}", "--data-options.size=16"]
    run = [*run, "--learning-rate=0.001", "--batch-size=10", "--evaluations=2", "--checkpoint-every=10", "--steps=240"]
    out, step = tmp_path / "run", 10
    command = ["multimix", *run, "--num-workers=2", f"--out={out}"]
    for number in (signal.SIGINT, signal.SIGTERM):
        program = Program(*command)
        program.until(partial(has_saved, out, step))
        program.signal_group(number)
        code, (line,) = program.end()
        assert code == 1
        assert line.startswith(f"multimix: stopped by {number.name} after step ")
        step = int(line.split()[6])
        assert newest(out).name == f"step-{step:09d}.safetensors"

    program = Program(*command)
    program.until(partial(has_saved, out, step))
    readers = grandchildren(program)
    assert len(readers) >= 2
    program.process.kill()
    program.end()
    deadline = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{reader}").exists() for reader in readers):
        assert time.monotonic() < deadline
        time.sleep(0.05)

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


def test_ctrl_c_while_packages_are_imported_is_one_line(tmp_path):
    program = Program("multimix", *TRAIN, f"--out={tmp_path / 'run'}")
    program.until(lambda: "libtorch_cpu" in Path(f"/proc/{program.process.pid}/maps").read_text())
    program.signal_group(signal.SIGINT)
    assert program.end() == (130, ["multimix: interrupted; the same command does what is missing"])
    assert not (tmp_path / "run").exists()


def grandchildren(program: Program) -> list[int]:
    found = []
    for child in program.children():
        found += map(int, Path(f"/proc/{child}/task/{child}/children").read_text().split())
    return found


def test_two_processes_under_torchrun(tmp_path):
    """SIGTERM to torchrun, kill -9 of one process, then on two machines: the state of a run that was never stopped."""
    straight, out = tmp_path / "straight", tmp_path / "run"
    command = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "multimix", *TRAIN, f"--out={out}"]

    program = Program(*command)
    program.until(lambda: records(out) >= 5)
    program.process.terminate()
    code, (line,) = program.end()
    assert code == 1
    assert line.startswith("multimix: stopped by SIGTERM after step ")
    stopped_at = newest(out)
    assert int(line.split()[6]) == Snapshot.read(stopped_at).facts["step"]

    program = Program(*command)
    program.until(lambda: newest(out) > stopped_at)
    os.kill(program.children()[1], signal.SIGKILL)
    code, lines = program.end()
    assert code == 1
    assert lines == [
        "multimix: process 0: all processes of a run must live, got one that ended; the same command goes on from the "
        "last state saved"
    ]

    assert main([*TRAIN, f"--out={out}"]) == 2  # alone
    newest(out).write_bytes(b"")
    refused = newest(out)
    (first_code, (line,)), second = two_machines(out, tmp_path / "second")
    assert (first_code, second) == (0, (0, []))
    assert line.startswith(f"multimix: {refused} is refused: it is no readable safetensors file")
    assert not (tmp_path / "second").exists()
    assert json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])["images"] == 160 * 21
    run_together(ROOT / "src" / "multimix" / "__main__.py", *TRAIN, f"--out={straight}")
    assert final(out) == final(straight)


def two_machines(*folders: Path) -> list[tuple[int, list[str]]]:
    """Ends the run with one process on each of two machines, here the same one, with a folder each."""
    with_port = ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={free_port()}"]
    nodes = [
        Program("torch.distributed.run", *with_port, f"--node-rank={rank}", "-m", "multimix", *TRAIN, f"--out={out}")
        for rank, out in enumerate(folders)
    ]
    return [node.end() for node in nodes]
