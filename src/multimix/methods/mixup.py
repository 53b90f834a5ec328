"""Input mixup: the same share of every position."""

from dataclasses import dataclass
from typing import ClassVar

from multimix.masks import Constant
from multimix.methods.method import Method
from multimix.methods.step import Step, checked_alpha


@dataclass(frozen=True)
class MixUp(Method):
    """Blend whole samples: `lam * x + (1 - lam) * x[partner]`.

    Args:
        alpha: shape of the Beta(alpha, alpha) law of the coefficients, > 0. The papers use 1.0 on CIFAR, 0.2 on
            ImageNet; small values stay near the samples.

    Raises:
        ValueError: if alpha is not a finite number > 0.

    References:
        Zhang et al., 2018, mixup: Beyond Empirical Risk Minimization, arXiv 1710.09412, eq. (1).
    """

    alpha: float = 1.0
    blends: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", checked_alpha("MixUp", self.alpha))

    def mask(self, step: Step) -> Constant:
        """Return a constant mask of value lam."""
        return step.constant()
