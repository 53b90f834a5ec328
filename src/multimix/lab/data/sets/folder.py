"""A folder of images or sounds: class folders, split into train and test, or split here."""

from dataclasses import dataclass
from pathlib import Path

from multimix.lab.core.checks import check
from multimix.lab.core.errors import UsageError
from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import BadFiles, audio, class_folders, class_names, kind_of
from multimix.lab.data.generic import SPLITS, generic_data
from multimix.lab.data.options import GenericOptions
from multimix.lab.data.sets.tiny_imagenet import TinyImagenet


@dataclass(frozen=True, kw_only=True)
class Folder(GenericOptions):
    """PATH/<class>/…, or PATH/train/<class>/… with PATH/test/… or PATH/val/…, or Tiny-ImageNet's own layout.

    Args:
        path: The folder.
    """

    path: str

    def found(self) -> Path:
        """Return the folder.

        Raises:
            UsageError: if there is none.
        """
        folder = Path(self.path).expanduser()
        if not folder.is_dir():
            raise UsageError(f"folder:PATH must name a folder, got {self.path!r}, which is none; give another")
        return folder

    def load(self, root: Path | None, bad_files: BadFiles) -> EncodedData:
        """List the samples of the folder."""
        folder = self.found()
        if any(layout.is_at(folder) for layout in TinyImagenet.layouts):
            rule, remedy = "size must be left out for Tiny-ImageNet's layout", "its images have one"
            check(self.size is None, rule, remedy, size=self.size)
            return TinyImagenet(padding=self.padding, flip=self.flip).read(folder, bad_files)
        homes = _homes(folder, bad_files)
        classes = class_names(homes.get("train", folder))
        if not classes:
            raise UsageError(
                f"{folder} must hold one folder per class, got none; give the folder above these, or see docs/data.md"
            )
        suffixes = kind_of(homes.get("train", folder), classes)
        found = {name: class_folders(home, classes, bad_files, suffixes) for name, home in homes.items()}
        if not any(len(split) for split in found.values()):
            bad_files.settle(f"folder {folder}")  # they say why there is no sample
        return generic_data(f"folder {folder}", found, classes, self, is_sound=suffixes is audio.SUFFIXES)


def _homes(folder: Path, bad_files: BadFiles) -> dict[str, Path]:
    """Return the folder of each split, or the folder itself if it has none."""
    names = class_names(folder)
    splits = [name for name in names if name in SPLITS and class_names(folder / name)]
    if not splits:
        return {"all": folder}
    if "train" not in splits:
        raise UsageError(f"{folder} must have splits train and test (or val), got {', '.join(splits)}; rename them")
    for name in names:
        if name not in splits:
            bad_files.add(folder / name, "a folder of no known split, beside train")
    return {name: folder / name for name in splits}
