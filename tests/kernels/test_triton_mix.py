"""Triton's kernels mix as PyTorch and the CPU do, in Triton's interpreter: a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from in_interpreter import needs_triton

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("on_triton.py")


pytestmark = needs_triton


def test_mixing_in_the_interpreter():
    environment = os.environ | {
        "TRITON_INTERPRET": "1",
        "MULTIMIX_KERNELS": "triton",
        "MULTIMIX_UNCHECKED": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]]),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SCRIPT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def test_lazy_tensors_in_the_interpreter():
    """The library's own tests of tensors whose memory does not hold their values: a kernel might read it as it is."""
    folders = [str(ROOT), str(Path(__file__).parent), os.environ["PYTHONPATH"]]
    environment = os.environ | {
        "TRITON_INTERPRET": "1",
        "MULTIMIX_KERNELS": "triton",
        "PYTHONPATH": os.pathsep.join(folders),
    }
    chosen = ["tests/test_blend.py", "-k", "negative or zeros_without"]
    plugins = ["-p", "faster_interpreter", "-p", "no:cacheprovider", "-W", "default"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, *chosen]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def test_every_kernel_compiles_for_a_gpu():
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment["PYTHONPATH"]])
    command = [sys.executable, "-m", "benchmarks.mix_compiled", "--architectures", "90"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    compiled = {line.split(" | ")[0] for line in done.stdout.splitlines()[4:]}
    assert compiled == {
        "| mix",
        "| spread",
        "| soften_rows",
        "| levels",
        "| peak_boxes",
        "| fill_bumps",
        "| weigh_bumps",
    }
