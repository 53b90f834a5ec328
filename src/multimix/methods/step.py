"""What a method sees when it is asked for its masks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Protocol, TypeGuard, cast, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from multimix.coefficients import Quantile, beta_quantile
from multimix.masks import Constant, Mask
from multimix.scalars import as_number
from multimix.shapes import spatial_shape, to_device
from multimix.streams import Streams


@dataclass(frozen=True)
class Step:
    """One step's pairs and coefficients, before there are masks.

    Attributes:
        x: the batch.
        partner: who mixes with whom: (B,), or (K, B) with fresh partners.
        lam: coefficients; a single column where the batch shares one path.
        streams: the step's random streams.
        shared: True if the batch shares one geometry: draw it once, from `streams.batch`.
        saliency: importance of each position, for methods that need it.
    """

    x: Tensor
    partner: Int64[Tensor, "B"] | Int64[Tensor, "K B"]
    lam: Float64[np.ndarray, "K P1"]
    streams: Streams
    shared: bool
    saliency: Float[Tensor, "B *spatial"] | None = None

    @property
    def geometry(self) -> np.random.Generator:
        """The stream from which boxes and the like are drawn."""
        return self.streams.batch if self.shared else self.streams.pairs

    @property
    def spatial(self) -> tuple[int, ...]:
        """Sizes of x's spatial axes."""
        return spatial_shape(self.x)

    def constant(self) -> Constant:
        """The mask that keeps the share lam of every position."""
        share = self.lam.astype(np.float32)
        ends = bool(share.min() == 0), bool(share.max() == 1)
        return Constant(to_device(torch.from_numpy(share), self.x.device), ends)

    def tensor(self, array: np.ndarray, dtype: type[np.generic]) -> Tensor:
        """An array of draws as a tensor on x's device."""
        return to_device(torch.from_numpy(array.astype(dtype)), self.x.device)


def check_axes(method: str, x: Tensor) -> None:
    """Refuse what has no spatial axes that can be cut, or more than three."""
    if not 1 <= len(spatial_shape(x)) <= 3:
        raise ValueError(
            f"{method} cuts one, two or three spatial axes, got x: {tuple(x.shape)}; "
            f"give x as (B, L), (B, C, L), (B, C, H, W) or (B, C, D, H, W)"
        )


def checked_alpha(name: str, alpha: object) -> float:
    """The number that this is; one that is no shape of a Beta law is refused."""
    number = as_number(alpha)
    if number is None or not (math.isfinite(number) and number > 0):
        raise ValueError(f"alpha must be a finite number > 0, got alpha={alpha!r}; try {name}(alpha=1.0)")
    return number


@runtime_checkable
class Method(Protocol):
    """What a mixing method is: hyper-parameters and a rule for masks.

    A method is a frozen dataclass in a file of its own, listed in `multimix.methods.METHODS`.
    """

    blends: ClassVar[bool]
    """True if values are averaged, so that x must be floating point."""

    def mask(self, step: Step) -> Mask:
        """The masks of a step, nested along K; a single column where the step is shared."""


class BetaMethod(Method, Protocol):
    """A method whose coefficients follow a symmetric Beta law: most of them."""

    @property
    def alpha(self) -> float:
        """Shape of that law."""


class OwnLawMethod(Method, Protocol):
    """A method whose coefficients follow a law of its own."""

    def quantile(self, uniform: Float64[np.ndarray, "K P1"], axes: int) -> Float64[np.ndarray, "K P1"]:
        """The quantile function of that law, for x with so many spatial axes; non-decreasing."""


class ShapedMethod(Method, Protocol):
    """A method that cannot mix every shape."""

    def check_shape(self, x: Tensor) -> None:
        """Refuse, before any work, a batch that cannot be mixed."""


class InsideMethod(Method, Protocol):
    """A method that mixes at a layer of the model rather than at its input."""

    def layer_names(self, model: nn.Module | None) -> Sequence[str]:
        """Names of the modules whose input may be mixed, one of them in each step; `""` is the model's input.

        Raises:
            ValueError: if there are none, or the model has no such module.
        """


class SaliencyMethod(Method, Protocol):
    """A method whose masks depend on what is important in x."""

    asks_model: ClassVar[bool]
    """True if it asks a model, with the targets, where no saliency is given; else it looks at x alone."""

    def check_input(self, x: Tensor, y: Tensor | None, model: nn.Module | None, saliency: Tensor | None) -> None:
        """Refuse, before any work, what cannot be mixed, or whose saliency cannot be found."""

    def find_saliency(self, x: Tensor, y: Tensor | None, model: nn.Module | None) -> Float[Tensor, "B *spatial"]:
        """Importance of each position, for a step that was given none and passed `check_input`."""


def mixes_inside(method: Method) -> TypeGuard[InsideMethod]:
    """Whether a method mixes at a layer of the model."""
    return hasattr(method, "layer_names")


def needs_saliency(method: Method) -> TypeGuard[SaliencyMethod]:
    """Whether a method needs to know what is important in x."""
    return hasattr(method, "find_saliency")


def asks_model(method: Method) -> bool:
    """Whether a method asks a model what is important in x, where no saliency is given."""
    return needs_saliency(method) and method.asks_model


def needs_shape(method: Method) -> TypeGuard[ShapedMethod]:
    """Whether a method cannot mix every shape."""
    return hasattr(method, "check_shape")


def quantile_of(method: Method, x: Tensor) -> Quantile:
    """The quantile function of a method's coefficients, for a batch like x."""
    if hasattr(method, "quantile"):
        return partial(cast(OwnLawMethod, method).quantile, axes=len(spatial_shape(x)))
    return partial(beta_quantile, cast(BetaMethod, method).alpha)
