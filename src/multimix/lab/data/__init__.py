"""Data sets by name or by folder."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from multimix.lab.core.errors import UsageError
from multimix.lab.core.warnings import warn
from multimix.lab.data.assembly import assemble
from multimix.lab.data.data_set import DataSet
from multimix.lab.data.files.bad_files import POLICIES, BadFile, BadFiles
from multimix.lab.data.held import HeldSplit
from multimix.lab.data.order import SampleOrder
from multimix.lab.data.sets import DATASETS, PREFIXES
from multimix.lab.data.sets.folder import Folder
from multimix.lab.data.split import Batch, Data, Split
from multimix.lab.data.streamed import StreamedSplit
from multimix.suggest import nearest

__all__ = [
    "DATASETS",
    "POLICIES",
    "PREFIXES",
    "BadFile",
    "Batch",
    "Data",
    "HeldSplit",
    "SampleOrder",
    "Split",
    "StreamedSplit",
    "check_data",
    "check_data_option_names",
    "check_places",
    "data_options_for",
    "open_data",
]


def check_data(name: str, options: Mapping[str, Any]) -> DataSet:
    """Return the data set that a name and options describe, before anything is read.

    Raises:
        UsageError: if there is no such data set, or its options are wrong.
    """
    kind, from_name = _kind(name)
    check_data_option_names(options, [name])
    types = {item.name: item.type for item in fields(kind)}  # type: ignore[arg-type]
    given = {**options, **from_name}
    return kind(**{option: _of_type(option, value, types[option]) for option, value in given.items()})


def check_places(name: str, options: Mapping[str, Any], root: str | Path | None) -> tuple[DataSet, Path | None]:
    """Return the data set and the folder of local copies, once both are known to be there as far as a look tells.

    Raises:
        UsageError: if a folder is missing, or as `check_data` does.
    """
    data_set = check_data(name, options)
    place = None if root is None else Path(root).expanduser()
    if place is not None and not place.is_dir():
        raise UsageError(f"data_root must be a folder, got data_root={str(root)!r}; give the folder of local copies")
    if isinstance(data_set, Folder):
        data_set.found()
    return data_set, place


def _of_type(option: str, value: Any, wanted: Any) -> Any:
    """Return an option's value; what looks like a number on the command line may be meant as a word."""
    kinds = get_args(wanted) or (wanted,)
    if str in kinds and isinstance(value, bool | int | float):
        return str(value)
    is_right = bool in kinds if isinstance(value, bool) else isinstance(value, kinds)
    if not is_right and not (float in kinds and type(value) is int):
        names = " or ".join(kind.__name__ for kind in kinds if kind is not NoneType)
        raise UsageError(f"{option} must be of type {names}, got {option}={value!r}; give such a value")
    return value


def data_options_for(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that a data set has."""
    return {option: value for option, value in options.items() if option in _option_names(name)}


def check_data_option_names(options: Mapping[str, Any], names: Sequence[str]) -> None:
    """Refuse an option that none of the data sets has."""
    known = sorted({option for name in names for option in _option_names(name)})
    for option in options:
        if option not in known:
            remedy = nearest(option, known) if known else "leave it out"
            raise UsageError(f"data_options must be options of {', '.join(names)}, got {option!r}; {remedy}")


def open_data(
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    root: str | Path | None = None,
    on_bad_file: str = "refuse",
    num_workers: int = 0,
) -> Data:
    """Open a data set.

    Args:
        name: One of `DATASETS`, or folder:PATH, hf:REPO, webdataset:PATH.
        options: The data set's own options.
        root: Folder of local copies, which are looked for before the Hugging Face hub.
        on_bad_file: "refuse" or "skip" files that cannot be used; either way they are named and counted.
        num_workers: Processes that read and decode a set that is too large to be held.

    Raises:
        UsageError: if it is not there, or cannot be used.
    """
    data_set, place = check_places(name, options or {}, root)
    bad_files = BadFiles(on_bad_file)
    data = assemble(data_set.load(place, bad_files), bad_files, num_workers)
    if data.num_classes < 2:
        raise UsageError(f"{name} must have at least 2 classes, got {data.num_classes}; give a folder of class folders")
    for note in data.notes:
        warn(note)
    return data


def _kind(name: str) -> tuple[type[DataSet], dict[str, str]]:
    """Return which data set a name means, and the option that the name itself gives."""
    prefix, colon, rest = name.partition(":")
    if colon and prefix in PREFIXES:
        kind, option = PREFIXES[prefix]
        if not rest:
            raise UsageError(
                f"{prefix}: must be followed by a {option}, got data={name!r}; write {prefix}:{option.upper()}"
            )
        return kind, {option: rest}
    if name in DATASETS:
        return DATASETS[name], {}
    known = [*DATASETS, *(f"{prefix}:{option.upper()}" for prefix, (_, option) in PREFIXES.items())]
    remedy = (
        f"for pictures of your own write folder:{name}" if Path(name).is_dir() else nearest(name, known, listed=True)
    )
    raise UsageError(f"data must be one of {', '.join(known)}, got data={name!r}; {remedy}")


def _option_names(name: str) -> list[str]:
    kind, from_name = _kind(name)
    return [item.name for item in fields(kind) if item.name not in from_name]  # type: ignore[arg-type]
