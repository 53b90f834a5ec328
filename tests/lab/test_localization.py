"""Localization against drawn objects and boxes worked out by hand."""

import pytest
import torch
from torch import Tensor, nn

from multimix.lab.core.errors import UsageError
from multimix.lab.data import Data, HeldSplit
from multimix.lab.evaluate.localization import ActivationMaps, Localization, intersection_over_union, object_boxes
from multimix.lab.models import MODELS, build_model

LOCALIZATION = Localization()
SIDE = 24


class Looker(nn.Module):
    """Its feature map is the image: class c is the mean of channel c."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
        with torch.no_grad():
            self.head[2].weight.copy_(torch.eye(3))
            self.head[2].bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(x)
        return logits


def drawn(*objects: tuple[int, int, int, int, int]) -> Tensor:
    """One image: rectangles (channel, left, top, right, bottom) of ones."""
    x = torch.zeros(1, 3, SIDE, SIDE)
    for channel, left, top, right, bottom in objects:
        x[0, channel, top:bottom, left:right] = 1
    return x


def data_of(x: Tensor, labels: list[int], boxes: list[tuple[float, ...]] | None) -> Data:
    box = None if boxes is None else torch.tensor(boxes) / SIDE
    split = HeldSplit(x, torch.tensor(labels), boxes=box)
    return Data(split, split, 3)


def test_boxes_overlap_as_drawn():
    unit = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    others = torch.tensor([[0, 0, 1, 1], [0, 0, 0.5, 1], [0.5, 0.5, 1.5, 1.5], [1, 0, 2, 1], [2, 2, 3, 3.0]])
    expected = torch.tensor([1, 0.5, 0.25 / 1.75, 0, 0])
    torch.testing.assert_close(intersection_over_union(unit.expand(5, -1), others), expected)


@pytest.mark.parametrize("box", [(4, 6, 14, 20), (0, 0, 9, 24), (15, 3, 24, 11)])
def test_a_drawn_object_is_found(box):
    # The box filter leaves a third in the cells around it, more than a quarter: a ring of one, and none at the image's
    # edge; at the corners of the ring only a ninth.
    left, top, right, bottom = box
    found = object_boxes(drawn((0, *box))[:, 0], (SIDE, SIDE))[0] * SIDE
    assert found.tolist() == [max(left - 1, 0), max(top - 1, 0), min(right + 1, SIDE), min(bottom + 1, SIDE)]


def test_the_largest_of_connected_parts_counts():
    x = drawn((0, 1, 1, 5, 5), (0, 12, 12, 20, 21))[:, 0]
    assert (object_boxes(x, (SIDE, SIDE))[0] * SIDE).tolist() == [11, 11, 21, 22]
    x[0, 1:5, 1:5] = 9  # brighter, not larger; the other one is now below a quarter
    assert (object_boxes(x, (SIDE, SIDE))[0] * SIDE).tolist() == [0, 0, 6, 6]


@pytest.mark.parametrize(("level", "is_seen"), [(0.2, False), (0.3, True)])
def test_a_quarter_of_the_largest_value_is_enough(level, is_seen):
    x = torch.zeros(1, SIDE, SIDE)
    x[:, 2:8, 2:8] = 1
    x[:, 2:8, 8:20] = level
    assert object_boxes(x, (SIDE, SIDE))[0, 2].item() * SIDE == pytest.approx(20 if is_seen else 8, abs=1)


def test_only_differences_on_the_map_count():
    x = drawn((0, 4, 6, 14, 20))[:, 0]
    expected = object_boxes(x, (SIDE, SIDE))
    assert torch.equal(object_boxes(3 * x - 7, (SIDE, SIDE)), expected)
    assert object_boxes(torch.ones(1, 4, 4), (8, 8)).tolist() == [[0, 0, 1, 1]]  # nothing is anywhere


def test_a_coarse_map_is_scaled_up():
    # Filtered, the cells beside the object hold a half of the largest value, those beyond none: a quarter is between.
    x = torch.zeros(1, 6, 8)
    x[0, 2:4, 4:6] = 1
    left, top, right, bottom = object_boxes(x, (60, 80))[0].tolist()
    assert left == pytest.approx(3.1 / 8, abs=0.015)
    assert right == pytest.approx(6.9 / 8, abs=0.015)
    assert top == pytest.approx(1.1 / 6, abs=0.015)
    assert bottom == pytest.approx(4.9 / 6, abs=0.015)


def test_values_by_hand():
    large, small = (4, 6, 16, 20), (2, 2, 8, 8)
    x = torch.cat(
        [
            drawn((0, *large)),  # found
            drawn((0, *large), (1, *small)),  # class 0 is predicted, but it is class 1: the known class is found
            drawn((2, *large)),  # right class, wrong box
            drawn((0, *large)),  # has no box
        ]
    )
    boxes = [(3, 5, 17, 21), (1, 1, 9, 9), (0, 0, 4, 4), (0, 0, 0, 0)]
    values = LOCALIZATION(Looker().train(), data_of(x, [0, 1, 2, 0], boxes))
    ring = 14 * 16
    overlaps = [1, 24 / (ring + 64 - 24), 0]
    assert values["localization_error"] == pytest.approx(2 / 3)
    assert values["localization_error_known_class"] == pytest.approx(1 / 3)
    assert values["localization_iou"] == pytest.approx(sum(overlaps) / 3)


def test_the_right_place_for_the_wrong_class_is_an_error():
    x = drawn((0, 4, 6, 16, 20), (1, 2, 2, 8, 8))  # class 0 is predicted, and its box is the object's
    values = LOCALIZATION(Looker(), data_of(x, [1], [(3, 5, 17, 21)]))
    assert values["localization_error"] == 1
    assert values["localization_iou"] == pytest.approx(1)


def test_the_model_is_left_alone():
    model = Looker().train()
    LOCALIZATION(model, data_of(drawn((0, 4, 6, 14, 20)), [0], [(4, 6, 14, 20)]))
    assert model.training
    assert not model.head[0]._forward_pre_hooks


@pytest.mark.parametrize("boxes", [None, [(0, 0, 0, 0)]])
def test_data_without_boxes_are_refused(boxes):
    with pytest.raises(UsageError, match="test samples with boxes"):
        LOCALIZATION(Looker(), data_of(drawn((0, 4, 6, 14, 20)), [0], boxes))


WITH_MAPS = ("small-cnn", "preact-resnet18", "wrn-16-8", "wrn-28-10", "resnext-29-4-24", "resnet-50")
NARROW = {"preact-resnet18": {"width": 8}}


@pytest.mark.parametrize("name", ["small-cnn", "preact-resnet18", "wrn-16-8", "resnext-29-4-24", "resnet-50"])
@torch.no_grad()
def test_maps_add_up_to_the_logits(name):
    model = build_model(name, (3, 32, 32), 4, NARROW.get(name)).eval()
    x, classes = torch.randn(2, 3, 32, 32), torch.tensor([1, 3])
    with ActivationMaps(model) as maps:
        logits = model(x)
        maps.check(logits)
        means = maps.of(classes).mean(dim=(1, 2))
    bias = dict(model.named_parameters())["head.bias" if name == "wrn-16-8" else "head.2.bias"]
    torch.testing.assert_close(means + bias[classes], logits[[0, 1], classes], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", sorted({*MODELS} - {*WITH_MAPS}))
def test_other_models_are_refused(name):
    with pytest.raises(UsageError, match="must end with AdaptiveAvgPool2d"):
        ActivationMaps(build_model(name, (1, 32, 32), 4))


class Doubter(Looker):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).square() + 1


def test_a_model_that_only_looks_alike_is_refused():
    with pytest.raises(UsageError, match="got Doubter"):
        LOCALIZATION(Doubter(), data_of(drawn((0, 4, 6, 14, 20)), [0], [(4, 6, 14, 20)]))
