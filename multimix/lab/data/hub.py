"""Data sets of the Hugging Face hub, and folders on disk in the forms that its library reads."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from torch import Tensor

from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.generic import GenericOptions, assemble, labels_of
from multimix.lab.data.making import Encoded
from multimix.lab.data.opening import Layout, Opening
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.split import Data
from multimix.lab.errors import UsageError

if TYPE_CHECKING:
    import datasets


@dataclass(frozen=True)
class HubBlobs:
    """The encoded images or sounds of a column; they stay on disk, in Arrow files that are mapped into memory.

    Args:
        dataset: The data set, its column left undecoded.
        column: The column.
        what: What to call it in messages.
    """

    dataset: "datasets.Dataset"
    column: str
    what: str

    def __len__(self) -> int:
        return len(self.dataset)

    def name(self, index: int) -> str:
        """Returns the data set and the number of the row."""
        return f"{self.what}, row {index}"

    def read(self, index: int) -> bytes:
        """Returns the bytes of a row."""
        cell: dict[str, Any] | None = self.dataset[index][self.column]
        if cell is None:
            return b""
        content: bytes | None = cell["bytes"]
        return Path(cell["path"]).read_bytes() if content is None else content


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

    def load(self, opening: Opening) -> Data:
        """Reads it, from the local cache or over the network."""
        try:
            found = fetch(self.repo, self.config, self.revision)
        except HubUnavailable as error:
            raise UsageError(f"hf:REPO must name a data set that can be fetched, got {self.repo!r}: {error}") from error
        return from_splits(f"hf:{self.repo}", found, self.label, self, opening)


class HubUnavailable(RuntimeError):
    """A data set cannot be had from the hub; the message says why."""


def from_hub(
    name: str,
    repo: str,
    normalise: Normalise,
    augment: FlipCrop,
    opening: Opening,
    layouts: Sequence[Layout],
    label: str | None = None,
) -> Data:
    """Fetches a named data set that no local copy was found of.

    Args:
        name: The data set.
        repo: Its name on the hub.
        normalise: How its images are normalised.
        augment: How its training images are moved.
        opening: How it is opened.
        layouts: The layouts that were looked for, for the message.
        label: Name of the column of labels.

    Raises:
        UsageError: if it cannot be fetched either.
    """
    try:
        found = fetch(repo)
    except HubUnavailable as error:
        raise opening.missing(name, layouts, f"hf:{repo} cannot be fetched ({error})") from error
    options = GenericOptions(padding=augment.padding, flip=augment.flip)
    return from_splits(name, found, label, options, opening, normalise)


def fetch(repo: str, config: str | None = None, revision: str | None = None) -> "datasets.DatasetDict":
    """Returns all splits of a data set.

    Raises:
        HubUnavailable: if that fails.
    """
    try:
        import datasets
    except ImportError as error:
        raise HubUnavailable("the package datasets is not installed; pip install multimix[lab]") from error
    try:
        with _without_waiting(repo):
            found = datasets.load_dataset(repo, config, revision=revision)
    except Exception as error:  # of the network, the hub, the file system, the format: one line says enough
        reason = str(error).strip().splitlines()
        raise HubUnavailable(f"{type(error).__name__}: {reason[0] if reason else ''}") from error
    if not isinstance(found, datasets.DatasetDict):
        raise HubUnavailable(f"it has no splits but is a {type(found).__name__}")
    return found


@contextmanager
def _without_waiting(repo: str) -> Iterator[None]:
    """Where the hub's name is not known, lets its library use the cache only: it would try again for half a minute."""
    import datasets
    import huggingface_hub

    settings: tuple[Any, ...] = (datasets.config, huggingface_hub.constants)
    before = [module.HF_HUB_OFFLINE for module in settings]
    host = urlsplit(huggingface_hub.constants.ENDPOINT).hostname
    if not Path(repo).exists() and not getproxies():
        try:
            socket.getaddrinfo(host, None)
        except OSError:
            for module in settings:
                module.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for module, value in zip(settings, before, strict=True):
            module.HF_HUB_OFFLINE = value


def from_splits(
    name: str,
    found: "datasets.DatasetDict",
    label: str | None,
    options: GenericOptions,
    opening: Opening,
    normalise: Normalise | None = None,
) -> Data:
    """Makes a data set of splits that have a column of images or sounds and one of labels."""
    import datasets

    first = found["train"] if "train" in found else next(iter(found.values()))
    features = first.features
    column = _only(
        name, "an image or a sound", [k for k, v in features.items() if isinstance(v, datasets.Image | datasets.Audio)]
    )
    is_sound = isinstance(features[column], datasets.Audio)
    undecoded = datasets.Audio(decode=False) if is_sound else datasets.Image(decode=False)
    target = label or _label_column(name, first)
    if target not in features:
        raise UsageError(f"label must be a column of {name}, got label={target!r}; choose one of {', '.join(features)}")
    classes = _classes(first, target)
    splits = {}
    for part, dataset in found.items():
        blobs = HubBlobs(dataset.select_columns([column]).cast_column(column, undecoded), column, f"{name} {part}")
        encoded = Encoded(blobs, _labels(dataset, target, classes))
        known = encoded.labels >= 0
        for row in (~known).nonzero().flatten().tolist():
            opening.bad_files.add(blobs.name(row), "no label, or one that no training sample has")
        splits[str(part)] = encoded if bool(known.all()) else encoded.subset(known.nonzero().flatten())
    return assemble(name, splits, classes, is_sound, options, opening, normalise)


def _label_column(name: str, dataset: "datasets.Dataset") -> str:
    import datasets

    labels = [k for k, v in dataset.features.items() if isinstance(v, datasets.ClassLabel)]
    plain = [k for k in dataset.features if k in ("label", "labels", "cls")]
    return _only(name, "a label", labels or plain)


def _only(name: str, kind: str, columns: list[str]) -> str:
    if len(columns) != 1:
        got = ", ".join(columns) or "none"
        raise UsageError(f"{name} must have one column that is {kind}, got {got}; pass --data-options.label")
    return columns[0]


def _classes(dataset: "datasets.Dataset", column: str) -> list[str]:
    import datasets

    feature = dataset.features[column]
    if isinstance(feature, datasets.ClassLabel):
        return list(feature.names)
    values = dataset.unique(column)
    if all(isinstance(value, int) for value in values):
        return [str(number) for number in range(max(values) + 1)]
    return sorted(str(value) for value in values if value is not None)


def _labels(dataset: "datasets.Dataset", column: str, classes: Sequence[str]) -> Tensor:
    """Returns the label of each row, -1 where there is none."""
    values = dataset[column][:]
    if all(value is None or isinstance(value, int) for value in values):
        numbers = torch.tensor([-1 if value is None else value for value in values], dtype=torch.int64)
        return torch.where(numbers < len(classes), numbers, -1)
    return labels_of([str(value) for value in values], classes)
