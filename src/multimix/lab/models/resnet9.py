"""Nine layers for small images: the fastest of the residual networks that reach 94 % on CIFAR-10."""

from collections.abc import Sequence

from torch import Tensor, nn

from multimix.lab.models.blocks import ImageNetwork, convolution

SCALE = 0.125  # of the logits: keeps the first steps of a high learning rate from being wild


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(convolution(width, width), convolution(width, width))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.branch(x)
        return out


class ResNet9(ImageNetwork):
    """The network of Page's "How to train your ResNet", 2019, for images from 8 pixels on.

    Args:
        sample_shape: (channels, height, width) of one image.
        num_classes: Number of classes.
        width: Channels of the first stage; the others have 2, 4 and 8 times as many.
        stride: Stride of the first convolution: 1 at 32 pixels; 2 halves height and width.
    """

    def __init__(self, sample_shape: Sequence[int], num_classes: int, width: int = 64, stride: int = 1) -> None:
        super().__init__()
        least = 8 * stride
        if min(sample_shape[1:]) < least:
            raise ValueError(
                f"images must have {least} x {least} pixels or more, got shape {tuple(sample_shape)}, stride {stride}"
            )
        self.stem = convolution(sample_shape[0], width, stride=stride)
        self.stage1 = nn.Sequential(convolution(width, 2 * width), nn.MaxPool2d(2), _Residual(2 * width))
        self.stage2 = nn.Sequential(convolution(2 * width, 4 * width), nn.MaxPool2d(2))
        self.stage3 = nn.Sequential(convolution(4 * width, 8 * width), nn.MaxPool2d(2), _Residual(8 * width))
        self.head = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(8 * width, num_classes, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Return the (N, num_classes) logits."""
        logits: Tensor = super().forward(x) * SCALE  # type: ignore[no-untyped-call]
        return logits
