"""Which method a name means."""

from typing import TypeVar

from multimix.methods.cutmix import CutMix
from multimix.methods.fmix import FMix
from multimix.methods.gridmix import GridMix
from multimix.methods.manifold import ManifoldMixup
from multimix.methods.method import Drawn, Method
from multimix.methods.mixup import MixUp
from multimix.methods.none import NoMix
from multimix.methods.puzzlemix import PuzzleMix
from multimix.methods.resizemix import ResizeMix
from multimix.methods.saliencymix import SaliencyMix
from multimix.methods.smoothmix import SmoothMix
from multimix.methods.topmix import TopMix
from multimix.suggest import nearest

M = TypeVar("M")

METHODS: dict[str, type[Method]] = {
    "none": NoMix,
    "mixup": MixUp,
    "manifold": ManifoldMixup,
    "cutmix": CutMix,
    "puzzlemix": PuzzleMix,
    "fmix": FMix,
    "resizemix": ResizeMix,
    "gridmix": GridMix,
    "smoothmix": SmoothMix,
    "saliencymix": SaliencyMix,
    "topmix": TopMix,
}


def as_method(method: M | str) -> M | Method:
    """Return a method object as it is; a name as that method with its defaults.

    Raises:
        ValueError: if the name is unknown.
        TypeError: if it is neither a method object nor a name.
    """
    if isinstance(method, str):
        if method not in METHODS:
            raise ValueError(f'method must be a known method, got method="{method}"; {nearest(method, METHODS)}')
        return METHODS[method]()
    if isinstance(method, type):
        name = method.__name__
        raise TypeError(
            f"method must be a method object or its name, got the class {name}; make an object: {name}(...)"
        )
    if isinstance(method, (list, tuple)):
        raise TypeError(
            f"method must be a method object or its name, got method={method!r}; to draw one of several for each batch "
            f"use Choice({list(method)!r})"
        )
    if not isinstance(method, Drawn):
        names = " or ".join(f'"{name}"' for name in METHODS)
        remedy = "ask it for one: phases.at(step / steps)" if hasattr(method, "at") else f"try MixUp() or {names}"
        raise TypeError(f"method must be a method object or its name, got method={method!r}; {remedy}")
    return method
