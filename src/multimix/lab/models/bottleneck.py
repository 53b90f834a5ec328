"""The block that ResNet-50 and ResNeXt share: narrow, convolve in groups, widen, add."""

import torch.nn.functional as F
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3 and 1 × 1 convolutions with batch norm, around which the input passes unchanged where it fits.

    The stride is that of the 3 × 3 convolution.

    Args:
        inputs: Channels that come in.
        inner: Channels of the 3 × 3 convolution.
        outputs: Channels that go out.
        stride: 2 halves height and width.
        groups: Groups of the 3 × 3 convolution.

    References:
        He et al., 2016, arXiv 1512.03385, figure 5; Xie et al., 2017, arXiv 1611.05431, figure 3c.
    """

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, groups=groups, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
            if stride != 1 or inputs != outputs
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Returns the block's output."""
        features = F.relu(self.norm1(self.conv1(x)))
        features = F.relu(self.norm2(self.conv2(features)))
        features = self.norm3(self.conv3(features))
        return F.relu(features + (x if self.shortcut is None else self.shortcut(x)))


def stage(inputs: int, inner: int, outputs: int, blocks: int, stride: int, groups: int = 1) -> nn.Sequential:
    """Builds blocks in a row; the first one changes the shape."""
    first = Bottleneck(inputs, inner, outputs, stride, groups)
    return nn.Sequential(first, *(Bottleneck(outputs, inner, outputs, groups=groups) for _ in range(blocks - 1)))
