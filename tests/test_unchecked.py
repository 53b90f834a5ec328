"""The tests marked `unchecked`, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path


def test_suite_without_type_checks():
    tests = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", "-m", "unchecked", "--show-capture=no", str(tests)]
    done = subprocess.run(
        command, env={**os.environ, "MULTIMIX_UNCHECKED": "1"}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
