"""Attention as saliency: a small vision transformer says which patches of its own input are kept.

    python examples/attention_topmix.py

scikit-learn's 8 × 8 digits in patches of 2 × 2. What the class token attends to in the last block, before the batch is
mixed, is the saliency of TopMix: `mix.run(model, x, y, saliency=...)`. CutMix takes patches wherever a box falls. Ten
minutes on one core.
"""

import argparse
from typing import Any

import torch
import torch.nn.functional as F
from harness import Split, Task, error_percent, run
from sklearn.datasets import load_digits
from torch import Tensor, nn

from multimix import MultiMix, TopMix

PATCH, PATCHES, WIDTH, HEADS = 2, 4, 32, 4  # positions of a side, patches of a side


class Block(nn.Module):
    """A block of a transformer that also returns its attention."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.body = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the tokens, and how much each attends to each other, (B, tokens, tokens)."""
        x = self.norms[0](tokens)
        mixed, attention = self.attention(x, x, x)
        tokens = tokens + mixed
        return tokens + self.body(self.norms[1](tokens)), attention


class Transformer(nn.Module):
    """A vision transformer for 8 × 8 images."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, WIDTH, PATCH, PATCH)
        self.first = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.places = nn.Parameter(0.02 * torch.randn(1, 1 + PATCHES**2, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the logits."""
        logits: Tensor = self.head(self._run(x)[0][:, 0])
        return logits

    @torch.no_grad()
    def saliency(self, x: Tensor) -> Tensor:
        """Returns what the class token attends to, for every position of the images: (B, 8, 8)."""
        patches = self._run(x)[1][:, 0, 1:].view(-1, PATCHES, PATCHES)
        return patches.repeat_interleave(PATCH, dim=1).repeat_interleave(PATCH, dim=2)

    def _run(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(len(x), -1, -1), tokens], dim=1) + self.places
        for block in self.blocks:
            tokens, attention = block(tokens)
        return tokens, attention


class Attended(MultiMix):
    """Mixes by the model's own attention."""

    def run(self, model: nn.Module, x: Tensor, y: Tensor, **settings: Any) -> tuple[Any, Tensor]:
        """Returns the forward pass of a training step."""
        assert isinstance(model, Transformer)
        return super().run(model, x, y, saliency=model.saliency(x), **settings)


def tasks(_: argparse.Namespace) -> list[Task]:
    """Returns the task."""
    there = load_digits()
    digits, labels = torch.tensor(there.images, dtype=torch.float32)[:, None] / 16, torch.tensor(there.target)
    return [
        Task(
            title="digits, a vision transformer",
            train=Split(digits[:1200], labels[:1200]),
            test=Split(digits[1200:], labels[1200:]),
            model=Transformer,
            mixers={
                "cutmix": lambda k: MultiMix("cutmix", num_mixes=k, num_classes=10),
                "topmix": lambda k: Attended(TopMix(grid=PATCHES), num_mixes=k, num_classes=10),
            },
            loss=F.cross_entropy,
            score=error_percent,
            score_name="error, %",
            steps=600,
        )
    ]


if __name__ == "__main__":
    run(tasks, "attention_topmix", __doc__)
