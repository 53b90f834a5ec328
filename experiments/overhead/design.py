"""A way to make updates, and how many of them an epoch has."""

from dataclasses import dataclass
from typing import Any

MODEL = "small-cnn"


@dataclass(frozen=True)
class Design:
    """One way to make an update.

    Args:
        method: Name of the mixing method.
        num_mixes: K.
        rows: B, the rows of an update: B / K samples with K mixes each.
    """

    method: str
    num_mixes: int
    rows: int

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"{self.method}, K = {self.num_mixes}, B = {self.rows}"

    @property
    def samples(self) -> int:
        """The samples that an update loads."""
        return self.rows // self.num_mixes

    def updates_per_epoch(self, num_samples: int) -> float:
        """Return N·K / B: an update uses B / K of the N samples."""
        return num_samples * self.num_mixes / self.rows

    def settings(self) -> dict[str, Any]:
        """Return it as settings of `multimix train`."""
        return {"model": MODEL, "method": self.method, "num_mixes": self.num_mixes, "batch_size": self.rows}
