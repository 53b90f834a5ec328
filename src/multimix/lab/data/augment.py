"""How are the images of a training batch moved: mirrored, and shifted by a few pixels?

First all moves of a batch are drawn, from the step's seed; carrying them out is deterministic and happens where the
images are.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class FlipCrop:
    """Black padding on all sides, a crop of the old size at a random place, mirrored half of the time.

    Args:
        padding: Pixels of padding.
        flip: Whether to mirror at all; not where left and right mean something.
    """

    padding: int
    flip: bool = True

    def draw(self, num: int, seed: int) -> Tensor:
        """Draw the moves of a whole batch, on the CPU: a function of the seed and the number of rows.

        Returns:
            (B, 3) int64: where the crop begins in the padded image, from above and from the left; 1 to mirror it.
        """
        generator = torch.Generator().manual_seed(seed)
        corner = torch.randint(2 * self.padding + 1, (2, num), generator=generator)
        flip = torch.rand(num, generator=generator) < (0.5 if self.flip else 0.0)
        return torch.stack([*corner, flip.long()], dim=1)

    def apply(self, x: Tensor, moves: Tensor) -> Tensor:
        """Return the moved (B, C, H, W) images as one gather from the padded ones."""
        num, channels, height, width = x.shape
        top, left, flip = moves.to(x.device, non_blocking=True).T[..., None]
        rows = top + torch.arange(height, device=x.device)
        columns = torch.arange(width, device=x.device)
        columns = left + torch.where(flip == 1, width - 1 - columns, columns)
        padded = F.pad(x, [self.padding] * 4)
        image = torch.arange(num, device=x.device)[:, None, None, None]
        channel = torch.arange(channels, device=x.device)[:, None, None]
        return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
