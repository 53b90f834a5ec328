"""One file per method: its masks, from a step's numbers."""

from multimix.methods.choice import Choice
from multimix.methods.cutmix import CutMix
from multimix.methods.fmix import FMix
from multimix.methods.gridmix import GridMix
from multimix.methods.manifold import ManifoldMixup
from multimix.methods.method import Method
from multimix.methods.mixup import MixUp
from multimix.methods.names import METHODS, as_method
from multimix.methods.none import NoMix
from multimix.methods.phases import Phases
from multimix.methods.puzzlemix import PuzzleMix
from multimix.methods.resizemix import ResizeMix
from multimix.methods.saliencymix import SaliencyMix
from multimix.methods.smoothmix import SmoothMix
from multimix.methods.step import Step
from multimix.methods.topmix import TopMix

__all__ = [
    "METHODS",
    "Choice",
    "CutMix",
    "FMix",
    "GridMix",
    "ManifoldMixup",
    "Method",
    "MixUp",
    "NoMix",
    "Phases",
    "PuzzleMix",
    "ResizeMix",
    "SaliencyMix",
    "SmoothMix",
    "Step",
    "TopMix",
    "as_method",
]
