"""Mixup with K ordered interpolations per pair: `MultiMix`, its methods, and an accuracy for mixed labels."""

from multimix.methods import Choice, CutMix, ManifoldMixup, MixUp, PuzzleMix
from multimix.mixer import MultiMix
from multimix.pairing import SimilarTargets
from multimix.plan import Plan
from multimix.targets import mixed_accuracy

__version__ = "0.1.0"

__all__ = [
    "Choice",
    "CutMix",
    "ManifoldMixup",
    "MixUp",
    "MultiMix",
    "Plan",
    "PuzzleMix",
    "SimilarTargets",
    "mixed_accuracy",
]
