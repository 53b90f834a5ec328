"""ImageNet-1K: 1.28 million images of 1,000 classes to train on, 50,000 to test on, of many sizes.

Russakovsky et al., 2015, arXiv 1409.0575. Class folders named by WordNet ids, `train/<wnid>/*.JPEG` and
`val/<wnid>/*.JPEG`; or, as Kaggle has it, all validation images in one folder and their classes in
`LOC_val_solution.csv`. The test images have no labels, so models are tested on the validation images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import (
    BadFiles,
    Encoded,
    class_folders,
    class_names,
    encoded_files,
    labels_of,
    note_unlisted,
)
from multimix.lab.data.sets.published import HubCopy, Layout, PublishedPhotos

SOLUTION = "LOC_val_solution.csv"  # Kaggle's table of the classes of validation images


@dataclass(frozen=True)
class Imagenet(PublishedPhotos):
    """(N, 3, size, size) crops of images of 1,000 classes."""

    name = "imagenet-1k"
    layouts = (
        Layout(
            marks=["train/n01440764/", "train/n15075141/"],  # the first and the last of the 1,000 classes
            homes=["imagenet-1k", "imagenet", "ILSVRC2012", "ILSVRC/Data/CLS-LOC"],
        ),
    )
    hub = HubCopy("ILSVRC/imagenet-1k", label="label", unlabelled=["test"])
    num_train, num_classes = 1_281_167, 1000

    def read(self, home: Path, bad_files: BadFiles) -> EncodedData:
        """List the images."""
        classes = class_names(home / "train")
        train = class_folders(home / "train", classes, bad_files)
        # The table is beside the images, or where its archive unpacks to.
        tables = [folder / SOLUTION for folder in (home, *home.resolve().parents[:3])]
        table = next(filter(Path.is_file, tables), None)
        if table is None or class_names(home / "val"):
            test = class_folders(home / "val", classes, bad_files)
        else:
            test = _listed(home / "val", table, classes, bad_files)
        return self.encoded({"train": train, "test": test}, classes)


def _listed(folder: Path, table: Path, classes: Sequence[str], bad_files: BadFiles) -> Encoded:
    """List the images of a table whose lines are `name,wnid left top right bottom wnid …`."""
    known, names, wnids = set(classes), [], []
    there = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    for where, line in bad_files.lines_of(table):
        name, *answers = line.split(",")
        wnid = (answers[0].split() or [""])[0] if len(answers) == 1 else ""
        if name == "ImageId":
            continue
        if wnid not in known:
            bad_files.add(where, "no name and known class")
        elif f"{name}.JPEG" not in there:
            bad_files.add(folder / f"{name}.JPEG", "listed but missing")
        else:
            names.append(f"{name}.JPEG")
            wnids.append(wnid)
    note_unlisted(folder, names, table.name, bad_files)
    return encoded_files(folder, names, labels_of(wnids, classes))
