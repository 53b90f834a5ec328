"""Mixup with K ordered interpolations per pair: `MultiMix`, its methods, and an accuracy for mixed labels."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multimix.methods import (
        Choice,
        CutMix,
        FMix,
        GridMix,
        ManifoldMixup,
        MixUp,
        Phases,
        PuzzleMix,
        ResizeMix,
        SaliencyMix,
        SmoothMix,
        TopMix,
    )
    from multimix.mixer import MultiMix
    from multimix.pairing import SimilarTargets
    from multimix.plan import Plan
    from multimix.targets import mixed_accuracy

__version__ = "0.2.0.dev0"

__all__ = [
    "Choice",
    "CutMix",
    "FMix",
    "GridMix",
    "ManifoldMixup",
    "MixUp",
    "MultiMix",
    "Phases",
    "Plan",
    "PuzzleMix",
    "ResizeMix",
    "SaliencyMix",
    "SimilarTargets",
    "SmoothMix",
    "TopMix",
    "mixed_accuracy",
]

_ELSEWHERE = {"MultiMix": "mixer", "Plan": "plan", "SimilarTargets": "pairing", "mixed_accuracy": "targets"}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: `multimix --version` and `--help` need no torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'methods')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
