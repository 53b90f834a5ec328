"""Data sets of the Hugging Face hub, and folders on disk in the forms that its library reads: fetched, and read safely.

Such a set's own description and cells may name files. Only files of that set are read.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multimix.lab.core.regular_files import MAX_FILE_BYTES, check_regular, read_regular
from multimix.lab.data.files.bad_files import why

if TYPE_CHECKING:
    import datasets


class HubUnavailable(RuntimeError):
    """A data set cannot be had from the hub; the message says why."""


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
        """Return the data set and the number of the row."""
        return f"{self.what}, row {index}"

    def read(self, index: int) -> bytes:
        """Return the bytes of a row.

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


def fetch(repo: str, config: str | None = None, revision: str | None = None) -> "datasets.DatasetDict":
    """Return all splits of a data set, from a folder, the local cache or over the network.

    Raises:
        HubUnavailable: if that fails.
    """
    try:
        import datasets
    except ImportError as error:
        raise HubUnavailable("the package datasets is not installed; pip install multimix[lab]") from error
    folder = Path(repo) if Path(repo).exists() else None
    if folder is not None:
        _check_folder(folder)
    try:
        builder = datasets.load_dataset_builder(repo, config, revision=revision)
        _check_sources(builder, folder)
        builder.download_and_prepare()
        found = builder.as_dataset()
    except HubUnavailable:
        raise
    except Exception as error:  # of the network, the hub, the file system, the format: one line says enough
        reason = next(iter(str(error).strip().splitlines()), "")
        raise HubUnavailable(f"{type(error).__name__}: {reason}") from error
    if not isinstance(found, datasets.DatasetDict):
        raise HubUnavailable(f"it has no splits but is a {type(found).__name__}")
    return found


def own_folders(repo: str, found: "datasets.DatasetDict") -> tuple[Path, ...]:
    """Return the folders of a data set's own files: its own, or where the hub's library keeps what it downloads."""
    import datasets
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    home = Path(repo)
    if not home.exists():
        home = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="dataset")
    if next(iter(found.values())).info.builder_name in ("imagefolder", "audiofolder"):  # may come in archives
        return home, Path(datasets.config.EXTRACTED_DATASETS_PATH)
    return (home,)


def _check_folder(folder: Path) -> None:
    """Refuse a folder in which there is anything but folders and regular files: the library would wait for a pipe."""
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
        is_below = folder is not None and Path(os.path.abspath(file)).is_relative_to(os.path.abspath(folder))
        if not (file.startswith("hf://") if folder is None else is_below):
            raise HubUnavailable(f"it names a file that is not the data set's own, {file!r}")


@contextmanager
def offline() -> Iterator[None]:
    """Let the hub's library use what it has downloaded before, and nothing else; HF_HUB_OFFLINE=1 does so for good."""
    import datasets
    import huggingface_hub

    settings: tuple[Any, ...] = (datasets.config, huggingface_hub.constants)
    before = [module.HF_HUB_OFFLINE for module in settings]
    for module in settings:
        module.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for module, value in zip(settings, before, strict=True):
            module.HF_HUB_OFFLINE = value
