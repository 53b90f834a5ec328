"""Wide residual networks for small images: WRN-16-8, WRN-28-10 and their kin."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from multimix.lab.models.blocks import ImageNetwork, PreActBlock, he_normal, stage

STEM_WIDTH = 16


class WideResNet(ImageNetwork):
    """WRN-depth-width.

    Args:
        sample_shape: (channels, height, width) of one image.
        num_classes: Number of classes.
        depth: 6 n + 4 layers, n blocks in each of three stages.
        width: Factor on the 16, 32 and 64 channels of the stages.
        stride: Stride of the first convolution: 1 at 32 pixels, 2 for Tiny-ImageNet's 64.

    References:
        Zagoruyko and Komodakis, 2016, Wide Residual Networks, arXiv 1605.07146, table 1.
    """

    def __init__(self, sample_shape: Sequence[int], num_classes: int, depth: int, width: int, stride: int = 1) -> None:
        super().__init__()
        if (depth - 4) % 6:
            raise ValueError(f"depth must be 6 n + 4, got depth={depth}; try {(depth - 4) // 6 * 6 + 4}")
        blocks = (depth - 4) // 6
        self.stem = nn.Conv2d(sample_shape[0], STEM_WIDTH, 3, stride=stride, padding=1, bias=False)
        self.stage1 = stage(PreActBlock, STEM_WIDTH, 16 * width, blocks, stride=1)
        self.stage2 = stage(PreActBlock, 16 * width, 32 * width, blocks, stride=2)
        self.stage3 = stage(PreActBlock, 32 * width, 64 * width, blocks, stride=2)
        self.norm = nn.BatchNorm2d(64 * width)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(64 * width, num_classes)
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the (N, num_classes) logits."""
        features = F.relu(self.norm(self.stage3(self.stage2(self.stage1(self.stem(x))))))
        logits: Tensor = self.head(self.pool(features).flatten(1))
        return logits


def wrn16_8(sample_shape: Sequence[int], num_classes: int, stride: int = 1) -> WideResNet:
    """Build WRN-16-8, 11 million parameters."""
    return WideResNet(sample_shape, num_classes, depth=16, width=8, stride=stride)


def wrn28_10(sample_shape: Sequence[int], num_classes: int, stride: int = 1) -> WideResNet:
    """Build WRN-28-10, 36.5 million parameters."""
    return WideResNet(sample_shape, num_classes, depth=28, width=10, stride=stride)
