"""The Triton kernels' masks are the CPU solver's, bit for bit, in Triton's interpreter: a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SCRIPT = Path(__file__).with_name("interpreted.py")
GRIDS = ("2 x 2", "3 x 4", "4 x 4", "1 x 7", "5 x 1")

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="needs triton, which PyTorch brings where it has CUDA"
)


@pytest.fixture(scope="module")
def found():
    """What `interpreted.py` prints. TRITON_INTERPRET must be set before the kernels are imported."""
    path = os.pathsep.join(
        [str(TESTS.parent), str(TESTS.parent / "src"), str(TESTS / "puzzle"), os.environ.get("PYTHONPATH", "")]
    )
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", str(SCRIPT)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("levels", [2, 3])
def test_masks_equal_the_cpu_solver(found, levels, grid):
    assert found[f"{levels} levels, {grid}"]["different"] == 0


@pytest.mark.parametrize("levels", [2, 3])
def test_the_smallest_of_tied_masks(found, levels):
    assert found[f"{levels} levels, small integers"]["different"] == 0


def test_numbers_are_rounded_as_on_the_cpu(found):
    assert found["below a unit"]["different"] == 0


@pytest.mark.parametrize("levels", [2, 3])
def test_pairs_without_proof_are_repaired(found, levels):
    repaired = found[f"{levels} levels, phase 2 alone"]
    assert repaired["unproved"] > 0
    assert repaired["different"] == 0


def test_what_is_no_number_ends_and_harms_no_other_pair(found):
    assert found["broken numbers"]["same"]


def test_phase_1_proves_most_pairs(found):
    assert sum(found[f"{levels} levels, {grid}"]["unproved"] for levels in (2, 3) for grid in GRIDS) <= 5
