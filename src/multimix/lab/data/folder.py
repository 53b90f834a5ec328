"""A folder of images or sounds: class folders, split into train and test, or split here."""

from dataclasses import dataclass
from pathlib import Path

from multimix.lab.core.checks import check
from multimix.lab.core.errors import UsageError
from multimix.lab.data import audio
from multimix.lab.data.bad_files import BadFiles
from multimix.lab.data.class_folders import class_folders, class_names, kind_of
from multimix.lab.data.generic import VALIDATION_NAMES, GenericOptions, assemble
from multimix.lab.data.open_context import OpenContext
from multimix.lab.data.split import Data
from multimix.lab.data.tiny_imagenet import LAYOUT as TINY_IMAGENET
from multimix.lab.data.tiny_imagenet import TinyImagenet

SPLITS = ("train", "test", *VALIDATION_NAMES)


@dataclass(frozen=True, kw_only=True)
class Folder(GenericOptions):
    """PATH/<class>/…, or PATH/train/<class>/… with PATH/test/… or PATH/val/…, or Tiny-ImageNet's own layout.

    Args:
        path: The folder.
    """

    path: str

    def load(self, opening: OpenContext) -> Data:
        """Reads the folder."""
        root = Path(self.path).expanduser()
        if not root.is_dir():
            raise UsageError(f"folder:PATH must name a folder, got {self.path!r}, which is none; give another")
        if TINY_IMAGENET.find(root) == root:
            check(
                self.size is None,
                "size must be left out for Tiny-ImageNet's layout",
                "its images have one",
                size=self.size,
            )
            return TinyImagenet(padding=self.padding, flip=self.flip).read(root, opening)
        homes = self._homes(root, opening.bad_files)
        classes = class_names(homes.get("train", root))
        if not classes:
            raise UsageError(f"{root} must hold one folder per class, got none; see the documentation for layouts")
        suffixes = kind_of(homes.get("train", root), classes)
        found = {name: class_folders(home, classes, opening.bad_files, suffixes) for name, home in homes.items()}
        return assemble(f"folder {root}", found, classes, suffixes is audio.SUFFIXES, self, opening)

    def _homes(self, root: Path, bad_files: BadFiles) -> dict[str, Path]:
        """Returns the folder of each split, or the folder itself if it has none."""
        folders = class_names(root)
        splits = [name for name in folders if name in SPLITS and class_names(root / name)]
        if not splits:
            return {"all": root}
        if "train" not in splits:
            raise UsageError(f"{root} must have splits train and test (or val), got {', '.join(splits)}; rename them")
        for name in folders:
            if name not in splits:
                bad_files.add(root / name, "a folder of no known split, beside train")
        return {name: root / name for name in splits}
