"""python -m experiments.frontier.pool FILE...: the mean over methods of what `replicate` printed for each."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.frontier.page import MAIN, SINGLE, SMALL
from multimix.lab.statistics import paired

RUN = re.compile(r"(?:[a-z]+ (K=1|small batch|K=5 same rows)) ([\d.]+) %")


def pool(files: Sequence[Path]) -> list[str]:
    """Return contrasts A and B: the mean over methods within a seed, then t over seeds.

    Args:
        files: What was printed for each method, with the same seeds; errors are rounded to 0.1 points.
    """
    errors = np.array([_errors(file) for file in files]).mean(axis=0)  # (seeds, 3)
    lines = []
    for name, other, column in (("A", SINGLE, 0), ("B", SMALL, 1)):
        found = paired(errors[:, 2].tolist(), errors[:, column].tolist())
        difference = found.difference
        lines.append(
            f"{name}: {MAIN} minus {other}: {difference.mean:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}] "
            f"points, n = {difference.n}, p {found.p_t:.1g}"
        )
    return lines


def _errors(file: Path) -> list[list[float]]:
    """Return the errors of K = 1, the small batch and K = 5 with each seed."""
    found = []
    for line in file.read_text().splitlines():
        if line.startswith("seed "):
            runs = {kind: float(error) for kind, error in RUN.findall(line)}
            found.append([runs[kind] for kind in (SINGLE, SMALL, MAIN)])
    return found


if __name__ == "__main__":
    print(*pool([Path(name) for name in sys.argv[1:]]), sep="\n")
