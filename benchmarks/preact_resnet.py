"""PreActResNet18 for 32 x 32 images: the network of most published mixup tables.

Reference: He et al., 2016, Identity Mappings in Deep Residual Networks, arXiv 1603.05027, fig. 1 (b).
"""

from itertools import pairwise

from torch import Tensor, nn


class Block(nn.Module):
    """Two convolutions after batch norm and ReLU; the shortcut is projected where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU())
        self.rest = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Add the residual."""
        active = self.first(x)
        out: Tensor = self.rest(active) + (x if self.shortcut is None else self.shortcut(active))
        return out


class PreActResNet18(nn.Sequential):
    """Four stages of two blocks."""

    def __init__(self, num_classes: int, width: int = 64) -> None:
        sizes = [width, width, 2 * width, 4 * width, 8 * width]
        stages = [
            nn.Sequential(Block(a, b, 1 if i == 0 else 2), Block(b, b, 1)) for i, (a, b) in enumerate(pairwise(sizes))
        ]
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, num_classes))
        super().__init__(nn.Conv2d(3, width, 3, 1, 1, bias=False), *stages, head)
