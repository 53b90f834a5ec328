"""ImageNet-1K: 1.28 million images of 1,000 classes to train on, 50,000 to test on, of many sizes.

Russakovsky et al., 2015, arXiv 1409.0575. Class folders named by WordNet ids, `train/<wnid>/*.JPEG` and
`val/<wnid>/*.JPEG`; or, as Kaggle has it, all validation images in one folder and their classes in
`LOC_val_solution.csv`. The test images have no labels, so models are tested on the validation images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from multimix.lab.data.bad_files import BadFiles
from multimix.lab.data.blobs import FolderBlobs
from multimix.lab.data.class_folders import class_folders, class_names, is_litter
from multimix.lab.data.decode import Encoded, check_not_empty, make_split
from multimix.lab.data.generic import GenericOptions, labels_of
from multimix.lab.data.hub import HubUnavailable, fetch, from_splits
from multimix.lab.data.images import CroppedImage
from multimix.lab.data.names import Names
from multimix.lab.data.open_context import Layout, OpenContext
from multimix.lab.data.options import check_size
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.split import Data

LAYOUT = Layout(
    marks=("train/n01440764/", "train/n15075141/"),  # the first and the last of the 1,000 classes
    homes=("imagenet-1k", "imagenet", "ILSVRC2012", "ILSVRC/Data/CLS-LOC"),
)
NORMALISE = Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HUB = "ILSVRC/imagenet-1k"


@dataclass(frozen=True)
class Imagenet:
    """(N, 3, size, size) crops of images of 1,000 classes: random and mirrored in training, from the middle in testing.

    Args:
        size: Side of the crops in pixels.
    """

    size: int = 224

    def __post_init__(self) -> None:
        check_size(self.size)

    def load(self, opening: OpenContext) -> Data:
        """Lists a local copy, or fetches one; images are read as they are needed."""
        home = opening.find(LAYOUT)
        if home is None:
            try:
                found = fetch(HUB)
            except HubUnavailable as error:
                raise opening.missing("imagenet-1k", [LAYOUT], f"hf:{HUB} cannot be fetched ({error})") from error
            found.pop("test", None)  # it has no labels
            return from_splits("imagenet-1k", found, "label", GenericOptions(size=self.size), opening, NORMALISE)
        classes = class_names(home / "train")
        train = class_folders(home / "train", classes, opening.bad_files)
        solution = next((file for file in _solutions(home) if file.is_file()), None)
        if solution is None or class_names(home / "val"):
            test = class_folders(home / "val", classes, opening.bad_files)
        else:
            test = _listed(home / "val", solution, classes, opening.bad_files)
        opening.bad_files.settle("imagenet-1k")
        check_not_empty("imagenet-1k", [("train on", len(train.labels)), ("test on", len(test.labels))])
        reader = CroppedImage(3, self.size)
        return Data(
            make_split(train, reader, NORMALISE, opening),
            make_split(test, reader, NORMALISE, opening),
            len(classes),
            tuple(classes),
            skipped=opening.bad_files.found,
        )


def _solutions(home: Path) -> list[Path]:
    """Returns where Kaggle's table of validation classes can be: beside the images, or where its archive unpacks to."""
    return [home / "LOC_val_solution.csv", *(parent / "LOC_val_solution.csv" for parent in home.resolve().parents[:3])]


def _listed(folder: Path, solution: Path, classes: Sequence[str], bad_files: BadFiles) -> Encoded:
    """Lists the images of a table whose lines are `name,wnid left top right bottom wnid …`."""
    known, names, wnids = set(classes), [], []
    there = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    for number, line in enumerate(bad_files.text_of(solution).splitlines(), start=1):
        words = line.split(",")
        name, wnid = (words[0], (words[1].split() or [""])[0]) if len(words) == 2 else ("", "")
        if words[0] == "ImageId" or not line:
            continue
        if wnid not in known:
            bad_files.add(f"{solution}, line {number}", "no name and known class")
        elif f"{name}.JPEG" not in there:
            bad_files.add(folder / f"{name}.JPEG", "listed but missing")
        else:
            names.append(f"{name}.JPEG")
            wnids.append(wnid)
    for name in sorted(there.difference(names)):
        if not is_litter(name):
            bad_files.add(folder / name, f"not listed in {solution.name}")
    return Encoded(FolderBlobs(folder, Names(names)), labels_of(wnids, classes))
