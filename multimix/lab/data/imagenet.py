"""ImageNet-1K: 1.28 million images of 1,000 classes to train on, 50,000 to test on, of many sizes.

Russakovsky et al., 2015, arXiv 1409.0575. Class folders named by WordNet ids, `train/<wnid>/*.JPEG` and
`val/<wnid>/*.JPEG`; the test images have no labels, so models are tested on the validation images.
"""

from dataclasses import dataclass

from multimix.lab.data.class_folders import class_folders, class_names
from multimix.lab.data.generic import GenericOptions
from multimix.lab.data.hub import HubUnavailable, fetch, from_splits
from multimix.lab.data.images import CroppedImage
from multimix.lab.data.making import check_not_empty, make_split
from multimix.lab.data.opening import Layout, Opening
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

    def load(self, opening: Opening) -> Data:
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
        test = class_folders(home / "val", classes, opening.bad_files) if (home / "val").is_dir() else None
        if test is None:
            opening.bad_files.add(home / "val", "missing")
        opening.bad_files.settle("imagenet-1k")
        check_not_empty("imagenet-1k", [("train on", len(train.labels)), ("test on", len(test.labels) if test else 0)])
        assert test is not None
        reader = CroppedImage(3, self.size)
        return Data(
            make_split(train, reader, NORMALISE, opening),
            make_split(test, reader, NORMALISE, opening),
            len(classes),
            tuple(classes),
            skipped=opening.bad_files.found,
        )
