"""Shapes and types in annotations are checked while the tests run."""

import importlib.metadata
import multiprocessing
import os
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jaxtyping
import pytest
import torch
from jaxtyping import install_import_hook

# The modules behind the public functions, whose own messages wrong types must meet. This must come before anything
# imports multimix. Tests marked `unchecked` run in a process without it (tests/test_unchecked.py): the
# checks cannot be traced by torch.compile, and take random numbers themselves.
PUZZLE = [f"puzzle.{name}" for name in ("cells", "energy", "saliency", "solver_cpu", "where")]
HOOKED = ["coefficients", "grid", "pairing", "contrast", "masks", "plan", "blend", "targets", "methods.step", *PUZZLE]
CHECKED = not os.environ.get("MULTIMIX_UNCHECKED")
if CHECKED:
    install_import_hook([f"multimix.{name}" for name in HOOKED], "beartype.beartype")


# One thread is enough for what is tested; the cores are for tests side by side.
torch.set_num_threads(1)


# Programs that tests start import these sources too, installed or not.
SOURCES = str(Path(__file__).parent.parent / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [SOURCES, os.environ.get("PYTHONPATH")]))

# A shell's `command &` ignores Ctrl-C, nohup a terminal that closes; and so would all that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


# Processes that read data, and those that train together, come from a server; it imports all they need once.
multiprocessing.set_forkserver_preload(["multimix.lab.train.run", "lightning_fabric", "multimix.lab.data.streamed"])


# What is installed stays so while tests run. Fabric looks through all of it, in 10 ms, whenever a run begins.
importlib.metadata.entry_points = cache(importlib.metadata.entry_points)


# Decoded samples are kept between runs, not between tests.
os.environ["MULTIMIX_CACHE"] = "off"


# Nothing is fetched, and no test waits for a network; set before the libraries that read it are imported.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(autouse=True)
def seed() -> None:
    """Every test starts from the same global random state, so a failure can be had again."""
    if torch.accelerator.is_available():
        torch.manual_seed(0)
    else:  # or torch would note, with a stack trace, for each kind of device that it is to be seeded when it comes
        torch.default_generator.manual_seed(0)


@pytest.fixture
def no_type_checks() -> Iterator[None]:
    """Annotations go unchecked, for tests that make many of the same calls: checking them takes most of a small step.

    What they call is called by other tests with the checks.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


# The files that take longest. They come first: of several processes, none should meet one of them when others are done.
LONGEST = ["test_signals", "test_unchecked", "test_executors", "test_site", "test_trackers", "test_variance_command"]
LONGEST += [
    "test_killed_sweep",
    "test_contract",
    "test_checkpoint",
    "test_variance",
    "test_report_page",
    "test_processes",
]
LONGEST += ["test_protocols", "test_pair", "test_train"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest files first, and leave `unchecked` tests to the process without checks."""
    if os.environ.get("MULTIMIX_KERNELS", "auto") not in ("", "auto", "cpu"):
        for item in items:
            if item.get_closest_marker("compiled"):
                item.add_marker(pytest.mark.skip(reason="the CPU's compiled kernels are not used"))
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
    if not CHECKED:
        return
    left = [item for item in items if item.get_closest_marker("unchecked")]
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)
