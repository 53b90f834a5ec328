"""VGG-11 for spectrograms of spoken commands: eight convolutions, two fully connected layers."""

from collections.abc import Sequence
from math import prod

from torch import nn

from multimix.lab.models.blocks import ImageNetwork

# Channels of the convolutions of each stage; a stage ends by halving height and width.
STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))
HIDDEN = 512


class VGG11(ImageNetwork):
    """Configuration A with batch norm and two fully connected layers, as trained on Google Commands.

    The published code has no activation between the two fully connected layers; here there is a ReLU, as the paper
    that defines VGG has it.

    Args:
        sample_shape: (channels, height, width) of one spectrogram, at least 32 × 32.
        num_classes: Number of classes.

    References:
        Simonyan and Zisserman, 2015, arXiv 1409.1556, table 1; Zhang et al., 2018, mixup, arXiv 1710.09412, section
        3.3; layer sizes as in github.com/adiyoss/GCommandsPytorch.
    """

    def __init__(self, sample_shape: Sequence[int], num_classes: int) -> None:
        super().__init__()
        channels, *size = sample_shape
        if min(size) < 1 << len(STAGES):
            raise ValueError(f"height and width must be at least 32, got {tuple(size)}; give larger spectrograms")
        for number, widths in enumerate(STAGES, start=1):
            self.add_module(f"stage{number}", _stage(channels, widths))
            channels = widths[-1]
        features = STAGES[-1][-1] * prod(length >> len(STAGES) for length in size)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, num_classes))


def _stage(inputs: int, widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.MaxPool2d(2))
