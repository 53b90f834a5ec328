"""A state in one file: named tensors, plain JSON and a SHA-256 over both. Nothing is ever unpickled.

The file is a safetensors file. Its header's metadata hold the JSON under `state` and the digest under `sha256`, so it
can be looked at with any safetensors reader.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.core.errors import Damaged
from multimix.lab.core.json_file import parsed


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
        """Writes the file, whole or not at all."""
        text = json.dumps(self.facts, allow_nan=False)
        metadata = {"state": text, "sha256": digest(self.tensors, text)}
        write_atomic(path, save(dict(self.tensors), metadata))

    @classmethod
    def read(cls, path: Path) -> "Snapshot":
        """Reads a file that may be truncated, foreign or hostile.

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
    """Returns the SHA-256, in hexadecimal, of tensors with their names, types and shapes, and of a text."""
    sha = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha.update(f"\0{name} {tensor.dtype} {list(tensor.shape)}\0".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()
