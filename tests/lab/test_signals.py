"""Real commands, real signals: what a user, a scheduler or the kernel does to a run, and what is left of it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import layouts
import pytest

from multimix.lab.arguments import parse
from multimix.lab.cli import main
from multimix.lab.core.signals import Interruption
from multimix.lab.train.run import train
from multimix.lab.train.snapshot import Snapshot, digest

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


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    layouts.imagenet(root)
    return root


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_its_processes_stops_a_run_that_reads_as_it_goes(tmp_path, images, number):
    """Ctrl-C, and what torchrun sends, reaches the processes that read data too."""
    run = [*TRAIN, "--data=imagenet-1k", f"--data-root={images}", "--data-options.size=16", "--learning-rate=0.001"]
    run = [*run, "--batch-size=10", "--evaluations=2", "--steps=400"]
    out = tmp_path / "run"
    command = ["multimix", *run, "--num-workers=2", f"--out={out}"]
    program = Program(*command)
    program.until(lambda: (out / "checkpoint").exists() and len(list((out / "checkpoint").glob("step-*"))) == 2)
    program.signal_group(number)
    code, (line,) = program.end()
    assert code == 1
    assert line.startswith(f"multimix: stopped by {number.name} after step ")
    step = int(line.split()[6])
    assert newest(out).name == f"step-{step:09d}.safetensors"
    assert main([*run, "--num-workers=0", f"--out={out}"]) == 0
    assert final(out) == trained_here(tmp_path / "straight", *run, "--num-workers=0")


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


def test_readers_end_with_a_run_that_is_killed(tmp_path, images):
    out = tmp_path / "run"
    run = [*TRAIN, "--data=imagenet-1k", f"--data-root={images}", "--data-options.size=16", "--learning-rate=0.001"]
    program = Program("multimix", *run, "--batch-size=10", "--steps=4000", "--num-workers=2", f"--out={out}")
    program.until(lambda: (out / "checkpoint").exists())
    readers = grandchildren(program)
    assert len(readers) >= 2
    program.process.kill()
    program.end()
    deadline = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{reader}").exists() for reader in readers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def grandchildren(program: Program) -> list[int]:
    found = []
    for child in program.children():
        found += map(int, Path(f"/proc/{child}/task/{child}/children").read_text().split())
    return found


def test_two_processes_under_torchrun(tmp_path):
    """SIGTERM to torchrun, then kill -9 of one process, then the same command: the state of the straight run."""
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "multimix", *TRAIN]
    straight, out = tmp_path / "straight", tmp_path / "run"
    assert Program(*torchrun, f"--out={straight}").end() == (0, [])
    command = [*torchrun, f"--out={out}"]

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
    code, (line,) = Program(*command).end()
    assert code == 0
    assert line.startswith(f"multimix: {refused} is refused: it is no readable safetensors file")
    assert final(out) == final(straight)


def test_two_machines(tmp_path):
    """One process on each of two machines, here the same one, with a folder each."""
    with_port = ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={free_port()}"]
    nodes = [
        Program("torch.distributed.run", *with_port, f"--node-rank={rank}", "-m", "multimix", *TRAIN, f"--out={out}")
        for rank, out in enumerate((tmp_path / "first", tmp_path / "second"))
    ]
    assert [node.end() for node in nodes] == [(0, []), (0, [])]
    assert json.loads((tmp_path / "first" / "metrics.jsonl").read_text().splitlines()[-1])["images"] == 160 * 21
    assert not (tmp_path / "second").exists()


def free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
