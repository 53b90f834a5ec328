"""Processes that train together, told what torchrun tells them, without the price of its starts.

They are forked from a server that has imported the lab once (see `tests/conftest.py`); what torchrun itself does with
its processes is tested in test_signals.py.
"""

import os
import runpy
import signal
import socket
import sys
from multiprocessing import get_context
from pathlib import Path

import torch

PATIENCE_S = 400


def run_together(script: Path, *arguments: str, processes: int = 2) -> None:
    """Runs a script in each of several processes, as `torchrun --nproc-per-node` would; all must end well."""
    port = free_port()
    server = get_context("forkserver")
    running = [
        server.Process(target=_run, args=(script, arguments, rank, processes, port), daemon=True)
        for rank in range(processes)
    ]
    for process in running:
        process.start()
    for process in running:
        process.join(PATIENCE_S)
    codes = [process.exitcode for process in running]
    for process in running:
        process.kill()
    assert codes == [0] * processes  # what went wrong is in the standard error


def _run(script: Path, arguments: tuple[str, ...], rank: int, processes: int, port: int) -> None:
    if processes > 1:
        names = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": processes}
        names |= {"LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in names.items()}, TORCHELASTIC_RUN_ID="tests")
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))  # readers are born deaf to them
    torch.set_num_threads(1)
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name="__main__")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
