"""Launches where PyTorch mixes, on tensors without values: what reads a value fails there."""

import pytest

from benchmarks.launches import count

LISTED = {"mixup": 18, "cutmix": 29, "fmix": 51, "gridmix": 22, "resizemix": 168, "saliencymix": 50, "topmix": 25}


@pytest.mark.parametrize("method", LISTED)
def test_launches_are_those_that_the_docs_list(method):
    assert count(method) == LISTED[method]
