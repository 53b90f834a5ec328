"""How are the images of a training batch moved: mirrored, and shifted by a few pixels?

First all moves of a batch are drawn, from the step's seed; carrying them out is deterministic and happens where the
images are.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Moves:
    """What is done to each image of a batch.

    Args:
        top: Where the crop begins in the padded image, (B,) int64.
        left: The same from the left.
        flip: Whether the image is mirrored, (B,) bool.
    """

    top: Tensor
    left: Tensor
    flip: Tensor

    def __getitem__(self, rows: slice) -> "Moves":
        return Moves(self.top[rows], self.left[rows], self.flip[rows])


@dataclass(frozen=True)
class FlipCrop:
    """Black padding on all sides, a crop of the old size at a random place, mirrored half of the time.

    Args:
        padding: Pixels of padding.
        flip: Whether to mirror at all; not where left and right mean something.
    """

    padding: int
    flip: bool = True

    def draw(self, num: int, seed: int) -> Moves:
        """Draw the moves of a whole batch, on the CPU: a function of the seed and the number of rows."""
        generator = torch.Generator().manual_seed(seed)
        top, left = torch.randint(2 * self.padding + 1, (2, num), generator=generator)
        flip = torch.rand(num, generator=generator) < (0.5 if self.flip else 0.0)
        return Moves(top, left, flip)

    def apply(self, x: Tensor, moves: Moves) -> Tensor:
        """Return the moved (B, C, H, W) images as one gather from the padded ones."""
        num, channels, height, width = x.shape
        top, left, flip = (
            moved.to(x.device, non_blocking=True)[:, None] for moved in (moves.top, moves.left, moves.flip)
        )
        rows = top + torch.arange(height, device=x.device)
        columns = torch.arange(width, device=x.device)
        columns = left + torch.where(flip, width - 1 - columns, columns)
        padded = F.pad(x, [self.padding] * 4)
        image = torch.arange(num, device=x.device)[:, None, None, None]
        channel = torch.arange(channels, device=x.device)[:, None, None]
        return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
