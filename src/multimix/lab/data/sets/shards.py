"""WebDataset shards: a folder of tar files."""

import re
from dataclasses import dataclass
from pathlib import Path

from multimix.lab.core.errors import UsageError
from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import BadFiles, audio
from multimix.lab.data.files.shards import list_shards
from multimix.lab.data.generic import SPLITS, generic_data
from multimix.lab.data.options import GenericOptions

WHOLE = "all"  # what is not split


@dataclass(frozen=True, kw_only=True)
class Shards(GenericOptions):
    """webdataset:PATH, a folder of uncompressed tar files; the word train, test or val in their names is their split.

    Args:
        path: The folder.
    """

    path: str

    def load(self, root: Path | None, bad_files: BadFiles) -> EncodedData:
        """Read the headers of all shards."""
        folder = Path(self.path).expanduser()
        files = sorted(folder.glob("*.tar")) if folder.is_dir() else []
        if not files:
            raise UsageError(f"webdataset:PATH must name a folder with .tar files, got {self.path!r}; give another")
        by_split: dict[str, list[Path]] = {}
        for file in files:
            by_split.setdefault(_split_of(file), []).append(file)
        if WHOLE in by_split and len(by_split) > 1:
            raise UsageError(
                f"either all shards or none must be called by their split, train, test or val, got "
                f"{by_split[WHOLE][0].name} in {folder}; rename it"
            )
        found = {name: list_shards(shards, bad_files) for name, shards in by_split.items()}
        train = found.get("train", next(iter(found.values())))
        classes = [str(number) for number in range(int(train.labels.max()) + 1 if len(train) else 0)]
        reason = f"class {{label}} where training has none above {len(classes) - 1}"
        known = {name: each.without(each.labels >= len(classes), reason, bad_files) for name, each in found.items()}
        is_sound = len(train) > 0 and Path(train.blobs.name(0)).suffix.lower() in audio.SUFFIXES
        return generic_data(f"shards {folder}", known, classes, self, is_sound)


def _split_of(shard: Path) -> str:
    """Return the first word of a shard's name that is a split's name, as in imagenet-train-0001.tar."""
    return next((word for word in re.split(r"[^a-z]+", shard.name.lower()) if word in SPLITS), WHOLE)
