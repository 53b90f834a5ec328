"""Processes that train together, told what torchrun tells them, without the price of its starts.

They are forked from a server that has imported the lab once (see `tests/conftest.py`); what torchrun itself does with
its processes is tested in test_signals.py.
"""

import os
import runpy
import signal
import socket
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

PATIENCE_S = 400


def run_together(script: Path, *arguments: str, processes: int = 2) -> None:
    """Run a script in each of several processes, as `torchrun --nproc-per-node` would; all must end well."""
    running = start_together(script, *[arguments] * processes)
    codes = end_together(running)
    assert codes == [0] * processes  # what went wrong is in the standard error


def start_together(script: Path, *arguments: Sequence[str], said: Path | None = None) -> list[BaseProcess]:
    """Start a process for each list of arguments; what they write to standard error goes to `said`, if given."""
    port = free_port()
    server = get_context("forkserver")
    running = [
        server.Process(target=_run, args=(script, own, rank, len(arguments), port, said), daemon=True)
        for rank, own in enumerate(arguments)
    ]
    for process in running:
        process.start()
    return running


def end_together(running: list[BaseProcess]) -> list[int | None]:
    """Wait for all of them; returns their exit codes."""
    for process in running:
        process.join(PATIENCE_S)
    codes = [process.exitcode for process in running]
    for process in running:
        process.kill()
    return codes


def _run(script: Path, arguments: Sequence[str], rank: int, processes: int, port: int, said: Path | None) -> None:
    if said is not None:
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.stderr.fileno())
    if processes > 1:
        names = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": processes}
        names |= {"LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in names.items()}, TORCHELASTIC_RUN_ID="tests")
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))  # the server blocks both
    torch.set_num_threads(1)
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name="__main__")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
