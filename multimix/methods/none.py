"""No mixing: the batch once, labels soft; the baseline, and a choice among methods."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from multimix.masks import Everything
from multimix.methods.step import Step


@dataclass(frozen=True)
class NoMix:
    """Return the batch unmixed, once, whatever the number of mixes, with labels in the same form as mixed ones."""

    alpha: ClassVar[float] = 1.0
    blends: ClassVar[bool] = False

    def mask(self, step: Step) -> Everything:
        """The mask that keeps everything."""
        return Everything(step.tensor(np.ones((1, step.lam.shape[1])), np.float32))
