"""Two hidden layers: the smallest model that learns digits well."""

from collections.abc import Sequence
from math import prod

from torch import nn

WIDTH = 256


class MLP(nn.Sequential):
    """A perceptron without batch norm, for samples of any shape.

    Args:
        sample_shape: Shape of one sample.
        num_classes: Number of classes.
    """

    # Modules at whose input manifold mixup may mix; "" is the model's own input.
    mix_layers = ("", "hidden2", "head")

    def __init__(self, sample_shape: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.hidden1 = nn.Sequential(nn.Flatten(), nn.Linear(prod(sample_shape), WIDTH), nn.ReLU())
        self.hidden2 = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU())
        self.head = nn.Linear(WIDTH, num_classes)
