"""What a data set is to the lab: two splits of tensors and the number of classes."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Split:
    """Samples and their labels, held on one device.

    Args:
        x: Normalised samples, (N, channels, ...).
        labels: Class of each sample, (N,) int64.
    """

    x: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Split":
        """Returns the same split on a device."""
        return Split(self.x.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Data:
    """A data set small enough to live on the device.

    Args:
        train: What the model learns from.
        test: What the finished model is judged on; nothing is chosen by it.
        num_classes: Number of classes.
    """

    train: Split
    test: Split
    num_classes: int

    @property
    def sample_shape(self) -> torch.Size:
        """The shape of one sample."""
        return self.train.x.shape[1:]

    def to(self, device: torch.device) -> "Data":
        """Returns the same data on a device."""
        return Data(self.train.to(device), self.test.to(device), self.num_classes)
