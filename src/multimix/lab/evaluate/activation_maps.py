"""Where in an image does the evidence for a class lie?"""

from types import TracebackType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimix.lab.core.errors import UsageError

# Largest difference, also relative, of logits from those that the maps add up to: rounding, also of half precision.
ROUNDING = 0.05


class ActivationMaps:
    """Class activation maps of a model that ends with a global average and one linear layer.

    Within a `with` block the model's last feature map is kept from each forward pass.

    Args:
        model: The model.

    Raises:
        UsageError: if the model does not end so.

    References:
        Zhou et al., 2016, arXiv 1512.04150, section 2, equation 2.
    """

    def __init__(self, model: nn.Module) -> None:
        self._name, modules = type(model).__name__, list(model.modules())
        pools = [place for place, module in enumerate(modules) if _is_global_pool(module)]
        after = [module for module in modules[pools[-1] :] if list(module.parameters())] if pools else []
        if len(after) != 1 or not isinstance(after[0], nn.Linear):
            raise self._refused()
        self._pool, self._linear = modules[pools[-1]], after[0]
        self._features = torch.empty(0)

    def __enter__(self) -> "ActivationMaps":
        self._hook = self._pool.register_forward_pre_hook(self._keep)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._hook.remove()

    def of(self, classes: Tensor) -> Tensor:
        """Return the (N, h, w) maps of one class each, from the last forward pass."""
        return torch.einsum("nchw,nc->nhw", self._features.float(), self._linear.weight[classes].float())

    def check(self, logits: Tensor) -> None:
        """Refuse a model whose logits are not what the maps add up to.

        Raises:
            UsageError: if something else comes between the feature map and the logits.
        """
        if self._features.ndim == 4:
            expected = F.linear(self._features.mean(dim=(2, 3)), self._linear.weight, self._linear.bias)
            if expected.shape == logits.shape and torch.allclose(expected, logits, rtol=ROUNDING, atol=ROUNDING):
                return
        raise self._refused()

    def _keep(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self._features = args[0]

    def _refused(self) -> UsageError:
        return UsageError(
            f"a model to localize with must end with AdaptiveAvgPool2d(1), Flatten and one Linear, got {self._name}; "
            f"choose one that does, such as preact-resnet18"
        )


def _is_global_pool(module: nn.Module) -> bool:
    return isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1))
