"""Does a model look where the object is? Weakly supervised localization by class activation maps.

References:
    Zhou et al., 2016, Learning Deep Features for Discriminative Localization, arXiv 1512.04150, sections 2 and 3.2;
    Choe et al., 2020, Evaluating Weakly Supervised Object Localization Methods Right, arXiv 2001.07437 (thresholds,
    localization of the true class).
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from multimix.lab.core.errors import UsageError
from multimix.lab.data import Data
from multimix.lab.evaluate.evaluator import Evaluator, percent
from multimix.lab.evaluate.samples import numbered
from multimix.lab.metrics import evaluation_mode, rows_at_once

# Largest difference, also relative, of logits from those that the maps add up to: rounding, also of half precision.
ROUNDING = 0.05
BOX_FILTER = 3  # cells of the map that are averaged
THRESHOLD = 0.25  # share of the largest value, above which the object is
ENOUGH = 0.5  # intersection over union of a box that counts as found


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


@dataclass(frozen=True)
class Localization(Evaluator):
    """Measure how often the object is not found, among the test samples whose box is known."""

    metrics: ClassVar = {
        "localization_error": percent("localization error", "not\nfound, %", "Localization"),
        "localization_error_known_class": percent("with the true class given", "class\nknown, %", "Localization"),
        "localization_iou": percent("overlap of boxes (▲ better)", table="Localization", better="higher"),
    }

    def check(self, data: Data) -> None:
        """Refuse data of which no test sample has a box.

        Raises:
            UsageError: if that is so.
        """
        _, seen = _boxes(data)
        if not seen.any():
            raise UsageError(
                "localization needs test samples with boxes, got none; choose cub-200-2011 or tiny-imagenet"
            )

    def __call__(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Return how often the object is not found.

        Returns:
            localization_error: share with a wrong top class, or a box by its map with an intersection over union below
            0.5; localization_error_known_class: share with such a box by the map of the true class, whatever is
            predicted; localization_iou: mean intersection over union of the predicted class's boxes.

        Raises:
            UsageError: if no sample has a box, or the model has no class activation maps.
        """
        self.check(data)
        boxes, seen = _boxes(data)
        test, boxes = data.test.subset(seen.nonzero().squeeze(1)), boxes[seen]
        kept, found, right, known = [], [], [], []
        with evaluation_mode(model), ActivationMaps(model) as maps:
            for x, numbers in numbered(test).chunks(rows_at_once(test.sample_shape)):
                labels = test.labels.to(x.device)[numbers]
                logits = model(x)
                maps.check(logits)
                predicted = logits.argmax(dim=1)
                size = (x.shape[-2], x.shape[-1])
                kept.append(numbers.cpu())
                found.append(object_boxes(maps.of(predicted), size))
                known.append(object_boxes(maps.of(labels), size))
                right.append((predicted == labels).cpu())
        boxes = boxes[torch.cat(kept)]  # without those of samples that turned out to be bad
        overlap = intersection_over_union(torch.cat(found), boxes)
        known_overlap = intersection_over_union(torch.cat(known), boxes)
        return {
            "localization_error": 1 - _share((overlap >= ENOUGH) & torch.cat(right)),
            "localization_error_known_class": 1 - _share(known_overlap >= ENOUGH),
            "localization_iou": overlap.mean().item(),
        }


def _boxes(data: Data) -> tuple[Tensor, Tensor]:
    """Return the boxes of the test samples, and which hold anything: a crop may have lost its object."""
    boxes = torch.empty(0, 4) if data.test.boxes is None else data.test.boxes.double().cpu()
    return boxes, (boxes[:, 2:] > boxes[:, :2]).all(dim=1)


def object_boxes(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the boxes around what maps say the objects are, (N, 4): left, top, right, bottom as shares.

    Args:
        maps: (N, h, w) activation of one class.
        size: Height and width of the samples, in pixels.
    """
    smooth = F.avg_pool2d(maps[:, None].float(), BOX_FILTER, 1, BOX_FILTER // 2, count_include_pad=False)
    large = F.interpolate(smooth, size=size, mode="bicubic", align_corners=False)[:, 0]
    lowest, highest = large.amin(dim=(1, 2), keepdim=True), large.amax(dim=(1, 2), keepdim=True)
    heat = (large - lowest) / (highest - lowest).clamp(min=torch.finfo(large.dtype).tiny)
    return torch.stack([_largest_box(mask) for mask in (heat > THRESHOLD).cpu().numpy()])


def _largest_box(mask: NDArray[np.bool_]) -> Tensor:
    """Return the box of the largest connected part; the whole sample if there is none."""
    from scipy import ndimage

    height, width = mask.shape
    parts, num = ndimage.label(mask)
    if num == 0:
        return torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    largest = int(np.bincount(parts.ravel())[1:].argmax())
    rows, columns = ndimage.find_objects(parts)[largest]
    box = (columns.start / width, rows.start / height, columns.stop / width, rows.stop / height)
    return torch.tensor(box, dtype=torch.float64)


def intersection_over_union(first: Tensor, second: Tensor) -> Tensor:
    """Return the common area over the joint area of boxes (N, 4): left, top, right, bottom."""
    begin, end = first[:, :2].maximum(second[:, :2]), first[:, 2:].minimum(second[:, 2:])
    common = (end - begin).clamp(min=0).prod(dim=1)
    areas = (first[:, 2:] - first[:, :2]).prod(dim=1) + (second[:, 2:] - second[:, :2]).prod(dim=1)
    return common / (areas - common)


def _share(holds: Tensor) -> float:
    return holds.double().mean().item()
