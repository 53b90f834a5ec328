"""PreActResNet-18 for small images, in the form that the mixup papers train: no batch norm after the last block."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

BLOCKS_PER_STAGE = 2


class Block(nn.Module):
    """Batch norm and ReLU before each of two convolutions; a shortcut that changes shape starts from the activation."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        changes = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """Returns the block's output."""
        active = F.relu(self.norm1(x))
        shortcut = x if self.shortcut is None else self.shortcut(active)
        residual: Tensor = self.conv2(F.relu(self.norm2(self.conv1(active))))
        return residual + shortcut


class PreActResNet18(nn.Module):
    """A residual network with identity mappings, four stages of two blocks.

    Weights start from PyTorch's own initialisation, as in the codes of Manifold Mixup and Puzzle Mix.

    Args:
        sample_shape: (channels, height, width) of one image.
        num_classes: Number of classes.
        stride: Stride of the first convolution: 1 at 32 pixels, 2 for Tiny-ImageNet's 64.
        width: Channels of the first stage; each further stage doubles them.

    References:
        He et al., 2016, Identity Mappings in Deep Residual Networks, arXiv 1603.05027.
    """

    sample_dims = 3
    # Modules at whose input manifold mixup may mix: the image itself, after stage 1, after stage 2.
    mix_layers = ("", "stage2", "stage3")

    def __init__(self, sample_shape: Sequence[int], num_classes: int, stride: int = 1, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Conv2d(sample_shape[0], width, 3, stride=stride, padding=1, bias=False)
        self.stage1 = _stage(width, width, stride=1)
        self.stage2 = _stage(width, 2 * width, stride=2)
        self.stage3 = _stage(2 * width, 4 * width, stride=2)
        self.stage4 = _stage(4 * width, 8 * width, stride=2)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Returns the (N, num_classes) logits."""
        logits: Tensor = self.head(self.stage4(self.stage3(self.stage2(self.stage1(self.stem(x))))))
        return logits


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    blocks = [Block(inputs, outputs, stride)]
    blocks += [Block(outputs, outputs, 1) for _ in range(BLOCKS_PER_STAGE - 1)]
    return nn.Sequential(*blocks)
