"""Compile the kernels of Puzzle Mix, each grid and number of levels in a process of its own: in a row it is slow."""

import subprocess
import sys

import torch

from benchmarks.gpu.batches import CLASSES, batch
from benchmarks.gpu.setting import Setting
from multimix import MultiMix, PuzzleMix


def start(setting: Setting) -> list[subprocess.Popen[bytes]]:
    """Start the processes; what they compile is in Triton's cache when they end."""
    if not setting.cuda or setting.tiny:
        return []
    command = [sys.executable, "-m", "benchmarks.gpu.warm"]
    return [
        subprocess.Popen([*command, str(grid), str(levels)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for grid in (16, 8, 4, 2)
        for levels in (2, 3)
    ]


def main(grid: int, levels: int) -> None:
    """Take a step."""
    x, y, saliency = batch(128, 32, torch.device("cuda"))
    mix = MultiMix(PuzzleMix(grid=grid, levels=levels), num_classes=CLASSES)
    mix.apply(mix.plan(x, y, saliency=saliency), x.requires_grad_(), y)[0].sum().backward()
    torch.cuda.synchronize()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
