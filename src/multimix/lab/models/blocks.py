"""What the networks for images are made of: residual blocks, rows of them, and the weights they start from."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn


class ImageNetwork(nn.Sequential):
    """A network whose parts, each an attribute, run in the order in which they were set.

    Manifold mixup may mix at the input of the modules in `mix_layers`: the image itself, after stage 1, after stage 2.
    """

    sample_dims = 3
    mix_layers: tuple[str, ...] = ("", "stage2", "stage3")


class PreActBlock(nn.Module):
    """Batch norm and ReLU before each of two convolutions; a shortcut that changes shape starts from the activation."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        changes = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        active = F.relu(self.norm1(x))
        shortcut = x if self.shortcut is None else self.shortcut(active)
        residual: Tensor = self.conv2(F.relu(self.norm2(self.conv1(active))))
        return residual + shortcut


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3 and 1 × 1 convolutions with batch norm, around which the input passes unchanged where it fits.

    The stride is that of the 3 × 3 convolution.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        stride: 2 halves height and width.
        inner: Channels of the 3 × 3 convolution.
        groups: Groups of the 3 × 3 convolution.

    References:
        He et al., 2016, arXiv 1512.03385, figure 5; Xie et al., 2017, arXiv 1611.05431, figure 3c.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, *, inner: int, groups: int = 1) -> None:
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
        """Return the block's output."""
        features = F.relu(self.norm1(self.conv1(x)))
        features = F.relu(self.norm2(self.conv2(features)))
        features = self.norm3(self.conv3(features))
        return F.relu(features + (x if self.shortcut is None else self.shortcut(x)))


def stage(block: Callable[..., nn.Module], inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    """Build blocks in a row; the first one changes the shape."""
    return nn.Sequential(block(inputs, outputs, stride), *(block(outputs, outputs) for _ in range(blocks - 1)))


def convolution(
    inputs: int, outputs: int, size: int = 3, stride: int = 1, norm: Callable[[int], nn.Module] = nn.BatchNorm2d
) -> nn.Sequential:
    """Build a convolution that keeps the borders, a normalization, batch norm by default, and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False),
        norm(outputs),
        nn.ReLU(),
    )


def pooled(features: int, num_classes: int) -> nn.Sequential:
    """Build a head: the mean over all positions, then logits."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, num_classes))


def he_normal(model: nn.Module) -> None:
    """Draw every convolution from N(0, 2 / (k² · outputs)), which keeps the variance of gradients from layer to layer.

    References:
        He et al., 2015, Delving Deep into Rectifiers, arXiv 1502.01852, equation 14.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
