"""One file per method: its masks, from a step's numbers."""

from multimix.methods.choice import Choice, options
from multimix.methods.cutmix import CutMix
from multimix.methods.manifold import ManifoldMixup
from multimix.methods.mixup import MixUp
from multimix.methods.names import METHODS, as_method
from multimix.methods.none import NoMix
from multimix.methods.puzzlemix import PuzzleMix
from multimix.methods.step import Method, Step, mixes_inside, needs_saliency

__all__ = [
    "METHODS",
    "Choice",
    "CutMix",
    "ManifoldMixup",
    "Method",
    "MixUp",
    "NoMix",
    "PuzzleMix",
    "Step",
    "as_method",
    "mixes_inside",
    "needs_saliency",
    "options",
]
