"""The Triton kernels' masks are the CPU solver's, bit for bit, in Triton's interpreter: a process of its own."""

import pytest
from in_interpreter import needs_triton, run

GRIDS = ("2 x 2", "3 x 4", "4 x 4", "1 x 7", "5 x 1")

pytestmark = needs_triton


@pytest.fixture(scope="module")
def found():
    """What `interpreted.py` prints."""
    return run("interpreted.py", "-W", "error::RuntimeWarning", kernels="cpu")  # the CPU solver is the oracle


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("levels", [2, 3])
def test_masks_equal_the_cpu_solver(found, levels, grid):
    assert found[f"{levels} levels, {grid}"]["different"] == 0


@pytest.mark.parametrize("levels", [2, 3])
def test_the_smallest_of_tied_masks(found, levels):
    assert found[f"{levels} levels, small integers"]["different"] == 0


def test_numbers_are_rounded_as_on_the_cpu(found):
    assert found["below a unit"]["different"] == 0
    assert found["lowest alone"]["different"] == 0


@pytest.mark.parametrize("levels", [2, 3])
def test_pairs_without_proof_are_repaired(found, levels):
    repaired = found[f"{levels} levels, phase 2 alone"]
    assert repaired["unproved"] > 0
    assert repaired["different"] == 0


def test_what_is_no_number_ends_and_harms_no_other_pair(found):
    assert found["broken numbers"]["same"]


def test_phase_1_proves_most_pairs(found):
    assert sum(found[f"{levels} levels, {grid}"]["unproved"] for levels in (2, 3) for grid in GRIDS) <= 5
