"""Two operators without which torchvision's wheel cannot be imported beside a torch that has no CUDA."""

import torch
from torch.library import Library

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
KEPT: list[Library] = []  # operators live as long as their library


def stand_in_for_operators() -> None:
    """Declare `nms` and `qnms`; mixing calls neither. To be called before the first import of torchvision."""
    if torch.version.cuda is None and not hasattr(torch.ops.torchvision, "nms"):
        library = Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(name + SCHEMA)
        KEPT.append(library)
