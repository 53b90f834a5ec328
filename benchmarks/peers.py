"""Which other libraries mix batches here, and how they are called."""

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Mix = Callable[[Tensor, Tensor], Any]
NAMES = ("timm", "torchvision", "kornia")


def peers(method: str, num_classes: int) -> dict[str, Mix]:
    """Every importable peer's `mix(x, y)` for `"mixup"` or `"cutmix"`, alpha 1, labels included.

    By name and by what a coefficient belongs to: "batch" shares one, one box and a fixed pairing; "sample" has one
    each, as multimix has. Smoothing of labels is off. timm overwrites its input; kornia returns no soft labels
    but (label, partner's label, coefficient), which is cheaper.
    """
    _stand_in_for_cuda_operators()
    found: dict[str, Mix] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for build in (_timm, _torchvision, _kornia):
            try:
                found |= build(method, num_classes)
            except ImportError:
                continue
    return found


def _stand_in_for_cuda_operators() -> None:
    """torchvision's wheel for CUDA cannot be imported beside a CPU torch unless these two operators exist."""
    if torch.version.cuda is not None or importlib.util.find_spec("torchvision") is None:
        return
    if hasattr(torch.ops.torchvision, "nms"):
        return
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _stand_in_for_cuda_operators.library = library  # type: ignore[attr-defined]  # they go when it goes


def _timm(method: str, num_classes: int) -> dict[str, Mix]:
    from timm.data import Mixup

    alphas = (
        {"mixup_alpha": 1.0, "cutmix_alpha": 0.0} if method == "mixup" else {"mixup_alpha": 0.0, "cutmix_alpha": 1.0}
    )
    options = {"num_classes": num_classes, "label_smoothing": 0.0, **alphas}
    return {"timm, batch": Mixup(**options), "timm, sample": Mixup(mode="elem", **options)}


def _torchvision(method: str, num_classes: int) -> dict[str, Mix]:
    from torchvision.transforms import v2

    mix = v2.MixUp if method == "mixup" else v2.CutMix
    return {"torchvision, batch": mix(alpha=1.0, num_classes=num_classes)}


def _kornia(method: str, num_classes: int) -> dict[str, Mix]:
    from kornia.augmentation import RandomCutMixV2, RandomMixUpV2

    keys = ["input", "class"]
    if method == "mixup":
        return {"kornia, sample": RandomMixUpV2(data_keys=keys)}
    return {"kornia, sample": RandomCutMixV2(data_keys=keys, use_correct_lambda=True)}
