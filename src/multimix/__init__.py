"""Mixup with K ordered interpolations per pair: `MultiMix`, its methods, and an accuracy for mixed labels."""

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
)
from multimix.mixer import MultiMix
from multimix.pairing import SimilarTargets
from multimix.plan import Plan
from multimix.targets import mixed_accuracy

__version__ = "0.1.0"

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
    "mixed_accuracy",
]
