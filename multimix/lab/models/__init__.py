"""Named architectures; a model is built from a sample's shape and the number of classes."""

from collections.abc import Callable, Sequence

from torch import nn

from multimix.lab.models.mlp import MLP
from multimix.lab.models.small_cnn import SmallCNN

__all__ = ["MODELS"]

MODELS: dict[str, Callable[[Sequence[int], int], nn.Module]] = {"small-cnn": SmallCNN, "mlp": MLP}
