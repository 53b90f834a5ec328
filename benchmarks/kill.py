"""Is a run that was killed and started again the run that was never killed?

    python -m benchmarks.kill --kills 50 --folder /dev/shm

For every method, with one process and with two: a straight run, then runs that are killed with `kill -9` at random
moments and started again with the same command, until enough kills have hit a step that was being computed. At the end
of each such run the SHA-256 over weights and optimizer, the weights that are the result and the records must be those
of the straight run. A kill counts as a hit if some process was between the start of a forward pass and the end of its
update when it died; each process notes that in a page of memory which outlives it. Kills between steps and while
states are written are made too, and not counted as hits. Processes are forked from this one, so that a try costs no
imports.
"""

import argparse
import json
import mmap
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.optim.optimizer import register_optimizer_step_post_hook

from multimix.lab.command_line.main import main
from multimix.lab.data import SampleOrder, open_data
from multimix.lab.metrics import evaluate
from multimix.lab.models import build_model
from multimix.lab.train.checkpoint import Snapshot, digest
from multimix.lab.train.method_schedule import mixer
from multimix.lab.train.run import train  # noqa: F401  imported before the forks
from multimix.lab.train.settings import TrainSettings
from multimix.methods import METHODS

PATIENCE_S = 120  # a try that takes longer hangs


@dataclass(frozen=True)
class Case:
    """What is run, and where."""

    method: str
    processes: int
    steps: int
    out: Path

    @property
    def command(self) -> list[str]:
        """The command line; checkpoints fall between records, epochs and each other's multiples."""
        batch = 60 if self.method == "none" else 62  # with two processes: equal parts, and unequal ones
        return [
            *("train", "--data", "digits", "--model", "small-cnn", "--method", self.method, "--num-mixes", "2"),
            *("--batch-size", str(batch), "--steps", str(self.steps), "--checkpoint-every", "7"),
            *("--out", str(self.out)),
        ]


@dataclass(frozen=True)
class Outcome:
    """What came of one case."""

    method: str
    processes: int
    kills: int
    hits: int
    resumed: int
    runs: int
    equal: bool
    sha256: str
    time_s: float


class Page:
    """Memory shared with the processes: a byte for each, 1 while it computes a step."""

    def __init__(self, size: int) -> None:
        self._bytes = mmap.mmap(-1, 2 * size)
        self._size = size

    def watch(self, rank: int) -> None:
        """Notes, in the process itself, when a step begins and ends."""

        def begins(module: torch.nn.Module, args: object) -> None:
            if module.training and torch.is_grad_enabled():
                self._bytes[rank] = self._bytes[self._size + rank] = 1

        def ends(*args: object) -> None:
            self._bytes[rank] = 0

        torch.nn.modules.module.register_module_forward_pre_hook(begins)
        register_optimizer_step_post_hook(ends)

    @property
    def in_step(self) -> bool:
        """Whether some process is, or died, in a step."""
        return any(self._bytes[: self._size])

    @property
    def begun(self) -> bool:
        """Whether every process has begun its first step."""
        return all(self._bytes[self._size :])


def launch(case: Case) -> tuple[list[int], Page]:
    """Starts the processes of one try."""
    page = Page(case.processes)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [_fork(case, page, rank, port) for rank in range(case.processes)], page


def _fork(case: Case, page: Page, rank: int, port: int) -> int:
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        if case.processes > 1:  # what torchrun says to its processes
            names = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": case.processes}
            names |= {"LOCAL_WORLD_SIZE": case.processes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            os.environ.update({name: str(value) for name, value in names.items()}, TORCHELASTIC_RUN_ID="kill")
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        page.watch(rank)
        code = main(case.command)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def finish(processes: Sequence[int], kill_at: Callable[[], bool]) -> bool:
    """Waits for the processes, or kills them all when it is time; returns whether they were killed.

    Raises:
        RuntimeError: if a process failed by itself, or hangs.
    """
    left, start = set(processes), time.monotonic()
    while left:
        for process in list(left):
            done, status = os.waitpid(process, os.WNOHANG)
            if done:
                left.remove(process)
                if status:
                    _kill(left)
                    raise RuntimeError(f"a process ended with status {status}")
        hangs = time.monotonic() - start > PATIENCE_S
        if len(left) == len(processes) and (hangs or kill_at()):
            _kill(left)
            if hangs:
                raise RuntimeError("a try hangs")
            return True
        time.sleep(0.0005)
    return False


def _kill(processes: set[int]) -> None:
    for process in processes:
        os.kill(process, signal.SIGKILL)
    for process in processes:
        os.waitpid(process, 0)


def killed_run(case: Case, straight_s: float, hits: int, chance: random.Random) -> Counter[str]:
    """Do one run, killing it at random moments until so many kills have hit a step.

    Returns:
        How many `kills` there were, how many were `hits`, and how many tries were `resumed` from a state.
    """
    counts = Counter(runs=1)
    while True:
        counts["resumed"] += any(case.out.glob("checkpoint/step-*.safetensors"))
        processes, page = launch(case)
        begun: list[float] = []
        wait_s = chance.uniform(0, straight_s / 2)  # a few kills in each run

        def now(page: Page = page, begun: list[float] = begun, wait_s: float = wait_s) -> bool:
            if not begun and page.begun:
                begun.append(time.monotonic())
            return bool(begun) and time.monotonic() - begun[0] >= wait_s

        if not finish(processes, now if counts["hits"] < hits else lambda: False):
            return counts
        counts.update(kills=1, hits=int(page.in_step))


def final_state(folder: Path) -> str:
    """Returns the SHA-256 over weights and optimizer at the end of a finished run, whose result has these weights."""
    assert (folder / "evaluation.json").exists()
    newest = max((folder / "checkpoint").iterdir())
    tensors = Snapshot.read(newest).tensors
    result = load_file(folder / "model.safetensors")
    assert all(torch.equal(result[name], tensors[f"model.{name}"]) for name in result)
    return digest({name: tensor for name, tensor in tensors.items() if name != "meter"})


def learned(folder: Path) -> list[dict[str, float]]:
    """Returns a run's records without its times."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in record.items() if not name.endswith("time_s")} for record in records]


def try_case(case: Case, kills: int, chance: random.Random) -> Outcome:
    """Does the straight run, then killed ones until enough kills have hit a step."""
    start = time.monotonic()
    finish(launch(case)[0], lambda: False)
    expected, expected_records = final_state(case.out), learned(case.out)
    straight_s = json.loads((case.out / "metrics.jsonl").read_text().splitlines()[-1])["time_s"]
    counts: Counter[str] = Counter()
    equal = True
    while counts["hits"] < kills:
        shutil.rmtree(case.out)
        counts.update(killed_run(case, straight_s, kills - counts["hits"], chance))
        equal &= final_state(case.out) == expected and learned(case.out) == expected_records
    time_s = round(time.monotonic() - start, 1)
    return Outcome(case.method, case.processes, **counts, equal=equal, sha256=expected, time_s=time_s)


@torch.no_grad()  # backward starts threads, and a process with running threads cannot be forked
def warm(method: str) -> None:
    """Loads data and compiled code here, once, and not again in every process."""
    data = open_data("digits", {})
    settings = TrainSettings(method=method, out="nowhere")
    model = build_model("small-cnn", data.sample_shape, data.num_classes, {})
    evaluate(model, data.test)
    x, labels = next(data.train.batches(SampleOrder(len(data.train), 8, 0), range(1)))
    mixer(settings, data.num_classes, settings.mixes.values[0]).run(model, x, labels, saliency=x.abs().mean(dim=1))


def run() -> int:
    """Does every case and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--processes", default="1,2")
    parser.add_argument("--kills", type=int, default=50, help="kills that must hit a step, per method and processes")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="where to put the runs; in memory (/dev/shm) a try is quicker")
    parser.add_argument("--out", type=Path, help="file for the result, a JSON object per line")
    arguments = parser.parse_args()
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)  # a process with running threads cannot be forked
    for method in arguments.methods.split(","):
        warm(method)
    chance = random.Random(arguments.seed)
    outcomes = []
    for method in arguments.methods.split(","):
        for processes in map(int, arguments.processes.split(",")):
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                case = Case(method, processes, arguments.steps, Path(folder) / "run")
                outcomes.append(try_case(case, arguments.kills, chance))
            print(json.dumps(asdict(outcomes[-1])), flush=True)
    if arguments.out:
        arguments.out.write_text("".join(json.dumps(asdict(outcome)) + "\n" for outcome in outcomes))
    return 0 if all(outcome.equal for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(run())
