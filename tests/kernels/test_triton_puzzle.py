"""Puzzle Mix through its Triton kernels, in Triton's interpreter, is Puzzle Mix on the CPU: a process of its own."""

import pytest
from in_interpreter import needs_triton, run

pytestmark = needs_triton


@pytest.fixture(scope="module")
def found():
    """What `interpreted_puzzle.py` prints."""
    return run("interpreted_puzzle.py")


def test_energies_are_the_cpus_up_to_rounding_in_at_most_three_launches(found):
    assert found["energies"]["share"] <= 4
    assert found["energies"]["energy"] <= 4
    assert 0 < found["energies"]["launches"] <= 3
    assert found["double precision"] < 1e-14


def test_cells_of_long_series_are_where_they_are(found):
    assert found["long series"] < 1e-5  # float32, sums in another order


def test_energies_are_finite_and_the_cpus_whatever_the_pixels(found):
    assert found["broken pixels"]["finite"]
    assert found["broken pixels"]["error"] <= 4


def test_saliency_that_is_not_finite_counts_as_none(found):
    assert found["broken saliency"]


def test_the_auction_is_the_cpus_bit_for_bit(found):
    assert found["auctions"] == 0


def test_whole_plans_are_the_cpus(found):
    assert found["plans"] == 0


def test_masks_at_any_scale_that_float64_holds(found):
    assert found["scales"] == 0


def test_no_kernel_is_compiled_again_for_another_number_of_pairs(found):
    assert found["unaligned"] == []


def test_a_plan_starts_few_kernels_on_every_grid_and_no_value_is_read(found):
    assert len(found["launches"]) == 4
    for started in found["launches"]:
        assert sum(started["kernels"].values()) == 6
        assert sum(started["operations"].values()) <= 6  # so a step takes 14: mixing and labels are one each
