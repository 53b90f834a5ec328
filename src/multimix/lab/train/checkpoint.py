"""The states of a run on disk: DIR/checkpoint/step-<N>.safetensors, the last good ones kept.

A state is written beside the ones before it; only when it is on the disk are older ones removed, so at any moment one
good state is there. At most two are kept: should the newest turn out to be damaged, the one before it is used.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from multimix.lab.core.atomic_files import sweep, sync_folder
from multimix.lab.core.errors import Damaged, RunFailed
from multimix.lab.train.snapshot import Snapshot

KEPT = 2
NAME = re.compile(r"step-(\d{9})\.safetensors")


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
        """Writes a state, then removes what is no longer needed.

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
        """Returns the newest good state; None if there is none.

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
