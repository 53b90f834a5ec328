"""What a part is told, and what it gives."""

import time
from dataclasses import dataclass

import torch

Row = dict[str, object]
Rows = list[Row]

NO_GPU = "not measured: no CUDA device"
NO_TIME = "not measured: no time left"


@dataclass(frozen=True)
class Setting:
    """Where and how long a part measures.

    Attributes:
        device: what it measures.
        tiny: a few small images: only to see that it runs.
        end: when it should be over, on `time.monotonic`'s clock.
    """

    device: torch.device
    tiny: bool
    end: float

    @property
    def cuda(self) -> bool:
        """Whether there is a GPU."""
        return self.device.type == "cuda"

    def left(self) -> float:
        """Return the seconds that are left."""
        return max(0.0, self.end - time.monotonic())

    def seconds(self, groups: int) -> float:
        """Return the seconds for one of so many groups of contenders that are still to come."""
        return 0.01 if self.tiny else self.left() / groups
