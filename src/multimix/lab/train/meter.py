"""What was measured at each step since the last record, kept on the device until somebody reads it."""

import torch
from torch import Tensor


class Meter:
    """Loss and accuracy step by step. Adding waits for nothing; reading waits for the device.

    Args:
        capacity: Most steps between two records.
        device: Where the steps are computed.
    """

    NAMES = ("loss", "mixed_accuracy")

    def __init__(self, capacity: int, device: torch.device) -> None:
        self.values = torch.zeros(capacity, len(self.NAMES), device=device)
        self.count = 0

    def add(self, measured: Tensor) -> None:
        """Notes one step: (2,) values in the order of `NAMES`."""
        self.values[self.count] = measured
        self.count += 1

    def clear(self) -> None:
        """Forgets all steps."""
        self.count = 0

    def read(self) -> Tensor:
        """Returns the (steps, 2) values so far, float64 on the CPU."""
        return self.values[: self.count].to("cpu", torch.float64)
