"""Two or three levels for Puzzle Mix? Digits, K = 1 and K = 5 with the same rows, six seeds.

    python experiments/puzzle_levels.py OUT        about three minutes on one core

Came out (torch 2.13, one core of an AMD EPYC), mean error over six seeds and the paired difference with its 95 %
t-interval, in percent:

    K = 1: 2 levels 1.61, 3 levels 1.15, difference -0.46 +- 0.56, not significant
    K = 5: 2 levels 1.76, 3 levels 1.17, difference -0.59 +- 0.41, significant

NLL does not differ significantly (0.117 against 0.120, n = 6), ECE is 0.7 points worse with three, training time is the
same. So three is the default, as in the authors' code. This is one small data set.
"""

import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Run both comparisons; each prints its table and writes a page."""
    out = Path(sys.argv[1])
    for levels in (2, 3):
        settings = "--data digits --model small-cnn --methods puzzlemix --num-mixes 1,5 --controls same-rows"
        command = [sys.executable, "-m", "multimix", "compare", *settings.split()]
        options = ["--batch-size", "120", "--seeds", "6", "--jobs", "1", "--method_options", f'{{"levels": {levels}}}']
        subprocess.run([*command, *options, "--out", str(out / f"levels-{levels}")], check=True)


if __name__ == "__main__":
    main()
