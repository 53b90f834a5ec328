"""Decoded samples are kept for later runs: thousands of small image files as one file that is read in a moment.

60,000 images of CIFAR-10 take some 15 s to decode on one core, and a comparison opens them for every run. The decoded
bytes are kept in $MULTIMIX_CACHE, or ~/.cache/multimix; a copy counts only while no file's name, size or time of change
differs. It can be deleted at any time; MULTIMIX_CACHE=off keeps none.
"""

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.core.warnings import warn
from multimix.lab.data.files.blobs import Blobs, Chosen, FolderBlobs

MIN_FILES = 5000  # fewer are decoded in a second or two
FORMAT = 3  # raised when the same bytes are decoded to something else than before

Bad = dict[int, str]  # index of a sample that cannot be used -> why


def cache_folder() -> Path | None:
    """Return where decoded samples are kept, or None if they are not to be."""
    place = os.environ.get("MULTIMIX_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "multimix"
    return None if place == "off" else Path(place).expanduser()


def cache_file(blobs: Blobs, reader: object) -> Path | None:
    """Return where the decoded samples of a folder are kept, or None if they are not worth keeping."""
    folder, stored = cache_folder(), blobs.blobs if isinstance(blobs, Chosen) else blobs
    if folder is None or len(blobs) < MIN_FILES or not isinstance(stored, FolderBlobs):
        return None
    digest = hashlib.sha256(f"{FORMAT} {reader!r}".encode())
    for path in map(blobs.name, range(len(blobs))):
        try:
            stat = os.stat(path)
            state = f"{stat.st_size} {stat.st_mtime_ns}"
        except OSError:
            state = "missing"
        digest.update(f"{os.path.abspath(path)}\0{state}\0".encode(errors="surrogateescape"))
    return folder / f"{digest.hexdigest()}.safetensors"


def read_cache(file: Path, shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Tensor, Bad] | None:
    """Return what is kept, or None if there is nothing, or nothing that can be used."""
    try:
        with safe_open(file, framework="pt") as stored:
            x = stored.get_tensor("x")
            bad = json.loads((stored.metadata() or {})["bad"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    if x.shape != shape or x.dtype != dtype:
        return None
    return x, {int(index): str(reason) for index, reason in bad.items()}


def write_cache(file: Path, x: Tensor, bad: Bad) -> None:
    """Keep decoded samples, if they can be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, save({"x": x}, metadata={"bad": json.dumps(bad)}))
    except OSError as error:
        said = f"decoded samples are not kept: {error}"
    else:
        said = f"{x.nbytes / 1e6:,.0f} MB of decoded samples kept in {file}"
    warn(said)
