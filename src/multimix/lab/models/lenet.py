"""LeNet for spectrograms of spoken commands: two convolutions, two fully connected layers."""

from collections.abc import Sequence
from math import prod

from torch import nn

from multimix.lab.models.blocks import ImageNetwork

WIDTH = 20
HIDDEN = 1000


def _halved(length: int) -> int:
    """Return what a 5-wide convolution without padding and a pooling by 2 leave of a length."""
    return (length - 4) // 2


class LeNet(ImageNetwork):
    """The smaller of the two networks that mixup was tried with on Google Commands.

    Args:
        sample_shape: (channels, height, width) of one spectrogram, at least 16 × 16.
        num_classes: Number of classes.

    References:
        Zhang et al., 2018, mixup, arXiv 1710.09412, section 3.3; layer sizes as in github.com/adiyoss/GCommandsPytorch.
    """

    # Modules at whose input manifold mixup may mix: the spectrogram itself, after stage 1, after stage 2.
    mix_layers = ("", "stage2", "head")

    def __init__(self, sample_shape: Sequence[int], num_classes: int) -> None:
        super().__init__()
        channels, *size = sample_shape
        if min(size) < 16:
            raise ValueError(f"height and width must be at least 16, got {tuple(size)}; give larger spectrograms")
        self.stage1 = nn.Sequential(nn.Conv2d(channels, WIDTH, 5), nn.MaxPool2d(2), nn.ReLU())
        self.stage2 = nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 5), nn.Dropout2d(), nn.MaxPool2d(2), nn.ReLU())
        features = WIDTH * prod(_halved(_halved(length)) for length in size)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(features, HIDDEN), nn.ReLU(), nn.Dropout(), nn.Linear(HIDDEN, num_classes)
        )
