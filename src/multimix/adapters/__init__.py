"""Bridges to the frameworks people train with: one file each, which imports its framework only where it must.

Those that need nothing but PyTorch are also found here: `from multimix.adapters import MixCollate`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multimix.adapters.collate import MixCollate
    from multimix.adapters.torchvision import MixTransform

__all__ = ["MixCollate", "MixTransform"]

_HOMES = {"MixCollate": "collate", "MixTransform": "torchvision"}
_WITH_FRAMEWORKS = {
    "MixBatch": "multimix.adapters.lightning or multimix.adapters.fastai",
    "MixTrainer": "multimix.adapters.hugging_face",
    "Mixup": "multimix.adapters.timm",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for."""
    if name in _WITH_FRAMEWORKS:
        raise AttributeError(
            f"{name} must be imported from its framework's file, got {__name__}.{name}; import it from "
            f"{_WITH_FRAMEWORKS[name]}"
        )
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
