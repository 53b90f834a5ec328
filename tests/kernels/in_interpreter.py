"""Start a script in Triton's interpreter."""

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from multimix.kernels.triton.available import LEAST

TESTS = Path(__file__).parents[1]


def installed() -> tuple[int, ...]:
    """Which release of Triton is here; (0,) where there is none."""
    try:
        return tuple(int(part) for part in version("triton").split(".")[:2])
    except PackageNotFoundError:
        return (0,)


needs_triton = pytest.mark.skipif(
    installed() < LEAST,
    reason=f"needs triton {'.'.join(map(str, LEAST))}: make test-triton",
)


def run(script: str, *options: str, kernels: str = "triton") -> dict:
    """What a script of this folder prints as JSON. The variables must be set before the kernels are imported."""
    path = os.pathsep.join(
        [str(TESTS.parent), str(TESTS.parent / "src"), str(TESTS / "puzzle"), os.environ.get("PYTHONPATH", "")]
    )
    environment = {**os.environ, "TRITON_INTERPRET": "1", "MULTIMIX_KERNELS": kernels, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, *options, str(Path(__file__).with_name(script))],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return json.loads(done.stdout.splitlines()[-1])
