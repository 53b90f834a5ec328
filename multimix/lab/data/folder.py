"""A folder of images or sounds: class folders, split into train and test, or split here."""

from dataclasses import dataclass
from pathlib import Path

from multimix.lab.data import audio
from multimix.lab.data.class_folders import class_folders, class_names, kind_of
from multimix.lab.data.generic import VALIDATION_NAMES, GenericOptions, assemble
from multimix.lab.data.opening import Opening
from multimix.lab.data.split import Data
from multimix.lab.data.tiny_imagenet import LAYOUT as TINY_IMAGENET
from multimix.lab.data.tiny_imagenet import TinyImagenet
from multimix.lab.errors import UsageError

SPLITS = ("train", "test", *VALIDATION_NAMES)


@dataclass(frozen=True, kw_only=True)
class Folder(GenericOptions):
    """PATH/<class>/…, or PATH/train/<class>/… with PATH/test/… or PATH/val/…, or Tiny-ImageNet's own layout.

    Args:
        path: The folder.
    """

    path: str

    def load(self, opening: Opening) -> Data:
        """Reads the folder."""
        root = Path(self.path).expanduser()
        if not root.is_dir():
            raise UsageError(f"folder:PATH must name a folder, got {self.path!r}, which is none; give another")
        if TINY_IMAGENET.find(root) == root and self.size is None:
            return TinyImagenet(padding=self.padding, flip=self.flip).read(root, opening)
        splits = [name for name in class_names(root) if name in SPLITS]
        homes = {name: root / name for name in splits} if "train" in splits else {"all": root}
        classes = class_names(next(iter(homes.values())) if "all" in homes else homes["train"])
        if not classes:
            raise UsageError(f"{root} must hold one folder per class, got none; see the documentation for layouts")
        suffixes = kind_of(homes.get("train", root), classes)
        found = {name: class_folders(home, classes, opening.bad_files, suffixes) for name, home in homes.items()}
        return assemble(f"folder {root}", found, classes, suffixes is audio.SUFFIXES, self, opening)
