"""hf:REPO, a data set of the Hugging Face hub or a folder of Parquet files: which columns are samples and labels?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from multimix.lab.core.errors import UsageError
from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import BadFiles, Encoded, hub, labels_of
from multimix.lab.data.files.hub import HubBlobs
from multimix.lab.data.generic import generic_data
from multimix.lab.data.options import GenericOptions
from multimix.lab.data.prepare import Normalise

if TYPE_CHECKING:
    import datasets

MAX_CLASSES = 1_000_000  # a class number beyond is no class number


@dataclass(frozen=True, kw_only=True)
class Hub(GenericOptions):
    """hf:REPO, a data set of the hub or a folder of Parquet files with a column of images or sounds and one of labels.

    Args:
        repo: Its name, or the folder.
        label: Name of the column of labels; otherwise the only one that can be it.
        config: Which of its configurations, where it has several.
        revision: A commit, tag or branch.
    """

    repo: str
    label: str | None = None
    config: str | None = None
    revision: str | None = None

    def load(self, root: Path | None, bad_files: BadFiles) -> EncodedData:
        """Read it, from the local cache or over the network."""
        try:
            found = hub.fetch(self.repo, self.config, self.revision)
        except hub.HubUnavailable as error:
            raise UsageError(f"hf:REPO must name a data set that can be fetched, got {self.repo!r}: {error}") from error
        homes = hub.own_folders(self.repo, found)
        return from_hub(f"hf:{self.repo}", found, self.label, self, bad_files, homes=homes)


def from_hub(
    name: str,
    found: "Mapping[str, datasets.Dataset]",
    label: str | None,
    options: GenericOptions,
    bad_files: BadFiles,
    normalise: Normalise | None = None,
    homes: tuple[Path, ...] = (),
) -> EncodedData:
    """Find the samples of splits that have a column of images or sounds and one of labels.

    Args:
        name: What to call the data set in messages.
        found: The splits, by name.
        label: Name of the column of labels; otherwise the only one that can be it.
        options: What was set.
        bad_files: Where rows that cannot be used are noted.
        normalise: How images are normalised; otherwise measured.
        homes: Folders of the data set's own files.

    Raises:
        UsageError: if the columns are not as they must be.
    """
    import datasets

    first = found["train"] if "train" in found else next(iter(found.values()))
    features = first.features
    samples = [column for column, kind in features.items() if isinstance(kind, datasets.Image | datasets.Audio)]
    labels = [column for column, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    labels = labels or [column for column in features if column in ("label", "labels", "cls")]
    column = _only(name, "images or sounds", samples, "prepare a copy with one such column")
    target = label or _only(name, "labels", labels, "pass --data-options.label")
    if target not in features:
        raise UsageError(f"label must be a column of {name}, got label={target!r}; choose one of {', '.join(features)}")
    undecoded = type(features[column])(decode=False)
    classes, splits = _classes(first, target), {}
    for part, dataset in found.items():
        cells = dataset.select_columns([column]).cast_column(column, undecoded)
        encoded = Encoded(HubBlobs(cells, column, f"{name} {part}", homes), _labels(dataset, target, classes))
        splits[str(part)] = encoded.without(
            encoded.labels < 0, "no label, or one that no training sample has", bad_files
        )
    is_sound = isinstance(undecoded, datasets.Audio)
    return generic_data(name, splits, classes, options, is_sound, normalise)


def _only(name: str, kind: str, columns: Sequence[str], remedy: str) -> str:
    if len(columns) != 1:
        raise UsageError(f"{name} must have one column of {kind}, got {', '.join(columns) or 'none'}; {remedy}")
    return columns[0]


def _classes(dataset: "datasets.Dataset", column: str) -> list[str]:
    """Return the names of the classes: published with the column, or all numbers up to the largest, or all words."""
    names = getattr(dataset.features[column], "names", None)
    if names is not None:
        return list(names)
    values = [value for value in dataset.unique(column) if value is not None]
    if not all(isinstance(value, int) for value in values):
        return sorted(map(str, values))
    largest = max(values, default=-1)
    if largest >= MAX_CLASSES:
        raise UsageError(
            f"numbers of classes must be below {MAX_CLASSES:,}, got {largest} in column {column}; number them from 0"
        )
    return [str(number) for number in range(largest + 1)]


def _labels(dataset: "datasets.Dataset", column: str, classes: Sequence[str]) -> Tensor:
    """Return the label of each row, -1 where there is none."""
    values = dataset[column][:]
    if all(value is None or isinstance(value, int) for value in values):
        known = range(len(classes))
        return torch.tensor([value if value in known else -1 for value in values], dtype=torch.int64)
    return labels_of([str(value) for value in values], classes)  # None is the name of no class
