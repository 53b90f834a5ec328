"""State to disk, whole or not at all."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn


def write_whole(path: Path, content: bytes | str) -> None:
    """Writes a file so that a reader, now or after a crash, sees the old content or all of the new."""
    data = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes files for one's own eyes only
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Writes a value as readable JSON, whole or not at all."""
    write_whole(path, json.dumps(value, indent=2) + "\n")


def save_weights(path: Path, model: nn.Module) -> None:
    """Writes a model's parameters and buffers as safetensors."""
    write_whole(path, save({name: value.contiguous() for name, value in model.state_dict().items()}))
