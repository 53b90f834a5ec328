"""Manifold mixup: the same share of every feature, at a layer inside the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from multimix.layers import check_layers, children_names, mix_layers
from multimix.masks import Constant
from multimix.methods.method import Method
from multimix.methods.step import Step, checked_alpha


@dataclass(frozen=True)
class ManifoldMixup(Method):
    """Blend the input of one layer of the model, drawn anew each step.

    Layers below it run once per pair, those from it on once per mix: K mixes cost less than K forward passes.

    Args:
        layers: names of modules as in `model.named_modules()`, without the prefixes of wrappers (DDP, compile).
            The *input* of the module is mixed; `""` is the model's input. Later layers must see nothing else of the
            batch: blocks, not layers in a residual branch. None: the model's own attribute `mix_layers`.
        alpha: shape of the Beta(alpha, alpha) law, > 0. The paper uses 2.0 on CIFAR, 0.2 on Tiny-ImageNet.

    Raises:
        ValueError: if alpha is not a finite number > 0, or layers is empty or holds no names.

    References:
        Verma et al., 2019, Manifold Mixup, arXiv 1806.05236, sec. 2.
    """

    layers: Sequence[str] | None = None
    alpha: float = 2.0
    blends: ClassVar[bool] = True
    inside: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", checked_alpha("ManifoldMixup", self.alpha))
        if self.layers is None:
            return
        names = [self.layers] if isinstance(self.layers, str) else self.layers
        if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
            raise ValueError(
                f'layers must be one or more names of modules, got layers={self.layers!r}; try layers=["", "layer2"]'
            )
        object.__setattr__(self, "layers", tuple(names))

    def mask(self, step: Step) -> Constant:
        """Return a constant mask of value lam, for whatever features the layer gets."""
        return step.constant()

    def layer_names(self, model: nn.Module | None) -> Sequence[str]:
        """Return the layers to draw from.

        Raises:
            ValueError: if no layers were given and the model, if any, names none; or if the model has no such layer.
        """
        layers = self.layers if self.layers is not None else mix_layers(model)
        if not layers:
            names = [] if model is None else children_names(model)
            hint = " or model=..." if model is None else f", such as {names}" if names else ""
            raise ValueError(
                f"ManifoldMixup must know which layers may be mixed, got layers=None and "
                f"{'a model without mix_layers' if model is not None else 'no model'}; "
                f"pass ManifoldMixup(layers=[...]) with names of modules{hint}"
            )
        if model is not None:
            check_layers(model, layers)
        return layers
