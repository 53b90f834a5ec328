"""Data sets of the Hugging Face hub, and folders on disk in the forms that its library reads."""

import errno
import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import torch
from torch import Tensor

from multimix.lab.core.errors import UsageError
from multimix.lab.core.regular_files import MAX_FILE_BYTES, check_regular, read_regular
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.bad_files import why
from multimix.lab.data.decode import Encoded
from multimix.lab.data.generic import GenericOptions, assemble, labels_of
from multimix.lab.data.open_context import Layout, OpenContext
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.split import Data

if TYPE_CHECKING:
    import datasets

REACH_S = 5  # how long an answer of the hub is waited for
MAX_CLASSES = 1_000_000  # a class number beyond is no class number


@dataclass(frozen=True)
class HubBlobs:
    """The encoded images or sounds of a column; they stay on disk, in Arrow files that are mapped into memory.

    Args:
        dataset: The data set, its column left undecoded.
        column: The column.
        what: What to call it in messages.
        homes: Folders of the data set's own files; a cell may name a file below them in place of holding its bytes.
    """

    dataset: "datasets.Dataset"
    column: str
    what: str
    homes: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.dataset)

    def name(self, index: int) -> str:
        """Returns the data set and the number of the row."""
        return f"{self.what}, row {index}"

    def read(self, index: int) -> bytes:
        """Returns the bytes of a row.

        Raises:
            OSError: if they are too many, or are to be read from a file that is not the data set's own.
        """
        cell: dict[str, Any] = self.dataset[index][self.column] or {}
        content: bytes | None = cell.get("bytes")
        if content is None:
            return read_regular(self._own_file(cell["path"])) if cell.get("path") else b""
        if len(content) > MAX_FILE_BYTES:
            raise OSError(errno.EFBIG, f"{len(content):,} bytes where at most {MAX_FILE_BYTES:,} are read")
        return content

    def _own_file(self, path: str) -> Path:
        """Return the file that a cell names, with all links followed, if it is below one of the homes."""
        for home in self.homes if "\0" not in path else ():
            file = Path(os.path.realpath(home / path))
            if file.is_relative_to(os.path.realpath(home)):
                return file
        raise OSError(errno.EACCES, f"it names a file that is not the data set's own, {path!r}")


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

    def load(self, opening: OpenContext) -> Data:
        """Reads it, from the local cache or over the network."""
        try:
            found = fetch(self.repo, self.config, self.revision)
        except HubUnavailable as error:
            raise UsageError(f"hf:REPO must name a data set that can be fetched, got {self.repo!r}: {error}") from error
        return from_splits(f"hf:{self.repo}", found, self.label, self, opening, homes=_homes(self.repo, found))


class HubUnavailable(RuntimeError):
    """A data set cannot be had from the hub; the message says why."""


def from_hub(
    name: str,
    repo: str,
    normalise: Normalise,
    augment: FlipCrop,
    opening: OpenContext,
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
    is_local = Path(repo).exists()
    if is_local:
        _check_folder(Path(repo))
    offline = None if is_local else _why_offline()
    try:
        with _offline_if(offline is not None):
            builder = datasets.load_dataset_builder(repo, config, revision=revision)
            _check_sources(builder, Path(repo) if is_local else None)
            builder.download_and_prepare()
            found = builder.as_dataset()
    except HubUnavailable:
        raise
    except Exception as error:  # of the network, the hub, the file system, the format: one line says enough
        if offline is not None:
            raise HubUnavailable(f"{offline}, and no earlier download of it was found") from error
        reason = str(error).strip().splitlines()
        raise HubUnavailable(f"{type(error).__name__}: {reason[0] if reason else ''}") from error
    if not isinstance(found, datasets.DatasetDict):
        raise HubUnavailable(f"it has no splits but is a {type(found).__name__}")
    return found


def _check_folder(folder: Path) -> None:
    """Refuse a folder in which there is anything but folders and regular files, which the library would wait for."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]  # the library ignores them, too
        for file in (os.path.join(place, name) for name in files if not name.startswith(".")):
            if file.endswith(".tar"):  # the library's reader trusts what its headers say
                raise HubUnavailable(f"{file} is a shard; give webdataset:PATH in place of hf:PATH")
            try:
                check_regular(file)
            except OSError as error:
                raise HubUnavailable(f"{file} cannot be used ({why(error)})") from error


def _check_sources(builder: "datasets.DatasetBuilder", folder: Path | None) -> None:
    """Refuse a data set whose own description names files that are not its own: others on this machine."""
    for file in (str(file) for files in (builder.config.data_files or {}).values() for file in files):
        is_own = file.startswith("hf://") if folder is None else _is_below(file, folder)
        if not is_own:
            raise HubUnavailable(f"it names a file that is not the data set's own, {file!r}")


def _is_below(file: str, folder: Path) -> bool:
    return Path(os.path.abspath(file)).is_relative_to(os.path.abspath(folder))


def _homes(repo: str, found: "datasets.DatasetDict") -> tuple[Path, ...]:
    """Return the folders of a data set's own files: its own, or where the hub's library keeps what it downloads."""
    import datasets
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    if Path(repo).exists():
        homes = [Path(repo)]
    else:
        homes = [Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="dataset")]
    if next(iter(found.values())).info.builder_name in ("imagefolder", "audiofolder"):  # may come in archives
        homes.append(Path(datasets.config.EXTRACTED_DATASETS_PATH))
    return tuple(homes)


def _why_offline() -> str | None:
    """Returns why the hub cannot be reached, or None; its own library would try for half a minute to find out."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=REACH_S).close()  # through a proxy, if one is set
    except HTTPError:
        return None  # it answers; what it thinks of the repository is another question
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLError):
            return None  # its library may know other certificates
        return f"{constants.ENDPOINT} cannot be reached: {getattr(reason, 'strerror', None) or reason}"
    return None


@contextmanager
def _offline_if(offline: bool) -> Iterator[None]:
    """Lets the hub's library use what it has downloaded before, and nothing else."""
    import datasets
    import huggingface_hub

    settings: tuple[Any, ...] = (datasets.config, huggingface_hub.constants)
    before = [module.HF_HUB_OFFLINE for module in settings]
    for module in settings:
        module.HF_HUB_OFFLINE = module.HF_HUB_OFFLINE or offline
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
    opening: OpenContext,
    normalise: Normalise | None = None,
    homes: tuple[Path, ...] = (),
) -> Data:
    """Makes a data set of splits that have a column of images or sounds and one of labels."""
    import datasets

    first = found["train"] if "train" in found else next(iter(found.values()))
    features = first.features
    samples = [k for k, v in features.items() if isinstance(v, datasets.Image | datasets.Audio)]
    column = _only(name, "images or sounds", samples, "prepare a copy with one such column")
    is_sound = isinstance(features[column], datasets.Audio)
    undecoded = datasets.Audio(decode=False) if is_sound else datasets.Image(decode=False)
    target = label or _label_column(name, first)
    if target not in features:
        raise UsageError(f"label must be a column of {name}, got label={target!r}; choose one of {', '.join(features)}")
    classes = _classes(first, target)
    splits = {}
    for part, dataset in found.items():
        blobs = HubBlobs(
            dataset.select_columns([column]).cast_column(column, undecoded), column, f"{name} {part}", homes
        )
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
    return _only(name, "labels", labels or plain, "pass --data-options.label")


def _only(name: str, kind: str, columns: list[str], remedy: str) -> str:
    if len(columns) != 1:
        raise UsageError(f"{name} must have one column of {kind}, got {', '.join(columns) or 'none'}; {remedy}")
    return columns[0]


def _classes(dataset: "datasets.Dataset", column: str) -> list[str]:
    import datasets

    feature = dataset.features[column]
    if isinstance(feature, datasets.ClassLabel):
        return list(feature.names)
    values = [value for value in dataset.unique(column) if value is not None]
    if all(isinstance(value, int) for value in values):
        if max(values, default=0) >= MAX_CLASSES:
            raise UsageError(
                f"numbers of classes must be below {MAX_CLASSES:,}, got {max(values)} in column {column}; number them "
                f"from 0"
            )
        return [str(number) for number in range(max(values, default=-1) + 1)]
    return sorted(map(str, values))


def _labels(dataset: "datasets.Dataset", column: str, classes: Sequence[str]) -> Tensor:
    """Returns the label of each row, -1 where there is none."""
    values = dataset[column][:]
    if all(value is None or isinstance(value, int) for value in values):
        known = range(len(classes))
        return torch.tensor([value if value in known else -1 for value in values], dtype=torch.int64)
    return labels_of([str(value) for value in values], classes)  # None is the name of no class
