"""No mixing: the batch once, labels soft; the baseline, and a choice among methods."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from multimix.masks import Everything
from multimix.methods.method import Method
from multimix.methods.step import Step


@dataclass(frozen=True)
class NoMix(Method):
    """Return the batch unmixed, once, whatever the number of mixes, with labels in the same form as mixed ones."""

    def quantile(self, uniform: Float64[np.ndarray, "K P1"], axes: int) -> Float64[np.ndarray, "K P1"]:
        """Return the sample keeps all."""
        return np.ones_like(uniform)

    def mixes_of(self, num_mixes: int) -> int:
        """Return the batch once."""
        return 1

    def mask(self, step: Step) -> Everything:
        """Return the mask that keeps everything."""
        return Everything(step.tensors(np.ones((1, step.lam.shape[1]), np.float32))[0])
