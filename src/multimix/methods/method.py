"""What a method is: its hooks, and what they do in a method that does not write its own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Float64
from torch import Tensor, nn

from multimix.coefficients import beta_quantile
from multimix.masks import Mask
from multimix.methods.step import Step, check_axes
from multimix.streams import Streams


class Drawn(ABC):
    """A method, or several of which one is drawn for every batch."""

    @abstractmethod
    def pick(self, streams: Streams) -> "Method":
        """Return the method of one batch."""

    @property
    @abstractmethod
    def options(self) -> "list[Method]":
        """The methods that may be picked."""

    @property
    def may_cut(self) -> bool:
        """Whether a method that cuts space may be picked."""
        return any(method.cuts for method in self.options)


class Method(Drawn):
    """A mixing method: hyper-parameters and a rule for masks.

    A method is a frozen dataclass in a file of its own, listed in `multimix.methods.METHODS`. It must have `mask`; all
    else is as below unless it says otherwise.
    """

    alpha: float = 1.0
    """Shape of the Beta(alpha, alpha) law of the coefficients; unused where `quantile` is the method's own."""

    blends: ClassVar[bool] = False
    """True if values are averaged, so that x must be floating point."""

    cuts: ClassVar[bool] = False
    """True if its masks cut space, so that x must have one, two or three spatial axes."""

    inside: ClassVar[bool] = False
    """True if it mixes at a layer of the model, one of `layer_names`, rather than at the model's input."""

    salient: ClassVar[bool] = False
    """True if its masks depend on what is important in x: given, or from `find_saliency`."""

    asks_model: ClassVar[bool] = False
    """True if `find_saliency` asks the model, with the targets; else it looks at x alone."""

    def pick(self, streams: Streams) -> "Method":
        """Return the method itself: nothing is drawn, and no stream opened."""
        return self

    @property
    def options(self) -> "list[Method]":
        """The method itself."""
        return [self]

    @abstractmethod
    def mask(self, step: Step) -> Mask:
        """Return the masks of a step, nested along K; a single column where the step is shared."""

    def quantile(self, uniform: Float64[np.ndarray, "K P1"], axes: int) -> Float64[np.ndarray, "K P1"]:
        """Return the quantile function of the coefficients, for x with so many spatial axes; non-decreasing."""
        return beta_quantile(self.alpha, uniform)

    @property
    def has_beta_law(self) -> bool:
        """Whether coefficients follow Beta(alpha, alpha), so that each pair may have an alpha of its own."""
        return type(self).quantile is Method.quantile

    def mixes_of(self, num_mixes: int) -> int:
        """How many mixes a pair gets where so many are asked for."""
        return num_mixes

    def check_input(self, x: Tensor, y: Tensor | None, model: nn.Module | None, saliency: Tensor | None) -> None:
        """Refuse, before any work, what cannot be mixed, or whose saliency cannot be found."""
        if self.cuts:
            check_axes(type(self).__name__, x)

    def layer_names(self, model: nn.Module | None) -> Sequence[str]:
        """Names of the modules whose input may be mixed, one of them in each step; `""` is the model's input.

        Raises:
            ValueError: if there are none, or the model has no such module.
        """
        return [""]

    def find_saliency(self, x: Tensor, y: Tensor | None, model: nn.Module | None) -> Float[Tensor, "B *spatial"]:
        """Return importance of each position, for a step that was given none and passed `check_input`."""
        raise NotImplementedError(f"{type(self).__name__} looks at no saliency")
