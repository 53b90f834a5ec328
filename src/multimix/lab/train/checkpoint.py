"""The states of a run on disk: DIR/checkpoint/step-<N>.safetensors, the last good ones kept.

A state is written beside the ones before it; only when it is on the disk are older ones removed, so at any moment one
good state is there. At most two are kept: should the newest turn out to be damaged, the one before it is used.

A state is one safetensors file: named tensors, plain JSON and a SHA-256 over both. Nothing is ever unpickled. The
header's metadata hold the JSON under `state` and the digest under `sha256`, so any safetensors reader can look at it.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from multimix.lab.core.atomic_files import sweep, sync_folder, write_atomic
from multimix.lab.core.errors import Damaged, RunFailed
from multimix.lab.core.json_file import parsed

KEPT = 2
NAME = re.compile(r"step-(\d{9})\.safetensors")


@dataclass(frozen=True)
class Snapshot:
    """A state.

    Args:
        tensors: On the CPU, by name.
        facts: What JSON can say.
    """

    tensors: Mapping[str, Tensor]
    facts: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        text = json.dumps(self.facts, allow_nan=False)
        metadata = {"state": text, "sha256": digest(self.tensors, text)}
        write_atomic(path, save(dict(self.tensors), metadata))

    @classmethod
    def read(cls, path: Path) -> "Snapshot":
        """Read a file that may be truncated, foreign or hostile.

        Raises:
            Damaged: if it is anything but what `write` wrote.
        """
        if not path.is_file():  # opening a pipe would wait for somebody to write into it
            raise Damaged("it is no file")
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  not a dict
        except (SafetensorError, OSError, ValueError, RuntimeError) as error:
            raise Damaged(f"it is no readable safetensors file ({str(error).splitlines()[0]})") from error
        if not {"state", "sha256"} <= metadata.keys():
            raise Damaged("it is a safetensors file, but no checkpoint of multimix")
        if metadata["sha256"] != digest(tensors, metadata["state"]):
            raise Damaged("its content does not have the SHA-256 that it was written with")
        return cls(tensors, parsed(metadata["state"], dict))


def digest(tensors: Mapping[str, Tensor], text: str = "") -> str:
    """Return the SHA-256, in hexadecimal, of tensors with their names, types and shapes, and of a text."""
    sha = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha.update(f"\0{name} {tensor.dtype} {list(tensor.shape)}\0".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Where they lie; made when the first is written.
        config: The settings and the data they belong to, as JSON has them.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self._folder, self._config = folder, config
        self._good: list[Path] = []  # oldest first

    def save(self, snapshot: Snapshot) -> None:
        """Write a state, then remove what is no longer needed.

        Raises:
            RunFailed: if it cannot be written; the states before it are still there.
        """
        path = self._folder / f"step-{snapshot.facts['step']:09d}.safetensors"
        try:
            if not self._folder.exists():
                self._folder.mkdir()
                sync_folder(self._folder.parent)
            Snapshot(snapshot.tensors, snapshot.facts | {"config": self._config}).write(path)
            self._good = [*(good for good in self._good if good != path), path][-KEPT:]
            for other in self._files():
                if other not in self._good:
                    other.unlink(missing_ok=True)
        except OSError as error:
            raise RunFailed(
                f"a checkpoint must be written, got {(error.strerror or str(error)).lower()} for {path}; "
                f"{self.kept}; make room or choose another --out, and give the same command again"
            ) from error

    def newest(self, check: Callable[[Snapshot], None], log: Callable[[str], None], on_bad: str) -> Snapshot | None:
        """Return the newest good state; None if there is none.

        Args:
            check: Raises `Damaged` for a state that does not fit the run.
            log: Called with one line per file that was refused.
            on_bad: What to do if there are files and none is good: "restart" from nothing, or "stop".

        Raises:
            RunFailed: if none is good and the choice is to stop.
        """
        sweep(self._folder)
        files = self._files()
        for path in reversed(files):
            try:
                snapshot = self._read(path, check)
            except Damaged as error:
                log(f"{path} is refused: {error}")
                continue
            self._good = [path]
            return snapshot
        if files and on_bad == "stop":
            raise RunFailed(
                f"a good checkpoint must be there to go on from, got {len(files)} refused in {self._folder}; "
                f"put a good one back, or start from nothing with --on-bad-checkpoint restart"
            )
        if files:
            log(f"no checkpoint in {self._folder} is good: starting from nothing")
        return None

    @property
    def kept(self) -> str:
        """What is there to go on from, in words."""
        if not self._good:
            return "no earlier state was saved"
        found = NAME.fullmatch(self._good[-1].name)
        assert found is not None  # only files with such names are good
        return f"the state of step {int(found[1])} is kept"

    def _read(self, path: Path, check: Callable[[Snapshot], None]) -> Snapshot:
        snapshot = Snapshot.read(path)
        config = snapshot.facts.get("config")
        if config != self._config:
            different = [
                name for name in self._config if not isinstance(config, dict) or config.get(name) != self._config[name]
            ]
            raise Damaged(
                f"it belongs to a run with other settings or data ({', '.join(different[:3]) or 'unknown ones'})"
            )
        check(snapshot)
        found = NAME.fullmatch(path.name)
        if found is None or snapshot.facts["step"] != int(found[1]):
            raise Damaged(f"it holds step {snapshot.facts['step']}")
        return snapshot

    def _files(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if NAME.fullmatch(path.name))
