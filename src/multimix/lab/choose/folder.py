"""A race on disk: OUT/choose.json beside one folder per run."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from multimix.lab.choose.halving import Rung
from multimix.lab.choose.settings import ChooseSettings
from multimix.lab.core.atomic_files import write_json
from multimix.lab.core.errors import Damaged, UsageError
from multimix.lab.core.json_file import read_json
from multimix.lab.core.own_folder import check_no_file, check_ours
from multimix.lab.train.run_folder import check_same, to_config
from multimix.lab.train.stored_settings import fits

FILE = "choose.json"
MAY_CHANGE = ("budget", "jobs")  # between two tries at the same race


@dataclass
class RaceFolder:
    """What was asked, and how far the race is; what came out of its runs is in their folders.

    Args:
        settings: What was asked.
        command: The command line.
        first: Length of the first rung; None until the first run was timed.
        spent_s: Seconds on the clock that runs took, over all tries.
        rungs: What was decided to be done, the first first.
        answer: The result in words; empty until there is one.
    """

    settings: ChooseSettings
    command: str
    first: int | None = None
    spent_s: float = 0.0
    rungs: list[Rung] = field(default_factory=list)
    answer: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where it lives."""
        return Path(self.settings.out)

    def resume(self, candidates: Collection[str]) -> None:
        """Take over how far the race in the folder is, if there is one.

        Args:
            candidates: Names of all.

        Raises:
            UsageError: if the folder belongs to a race with other settings, or to somebody else.
        """
        check_no_file(self.folder, "a race")
        check_ours(self.folder, FILE, "a race")
        file = self.folder / FILE
        if not file.exists():
            return
        try:
            there = read_json(file, dict)
            settings = there.get("settings")
            if not isinstance(settings, dict):
                raise Damaged("it holds no settings")
            check_same(settings, self._config(), self.folder, "race")
            self.first, self.spent_s = _typed(there, "first", int | None), _typed(there, "spent_s", float)
            self.rungs = [_rung(each, candidates) for each in _typed(there, "rungs", list[dict[str, Any]])]
        except Damaged as error:
            raise UsageError(
                f"a race's choose.json must be readable, got {file}: {error}; choose another --out, or remove the file"
            ) from error

    def write(self) -> None:
        """Write `choose.json`."""
        settings = {**self._config(), **{name: getattr(self.settings, name) for name in MAY_CHANGE}}
        values = {name: value for name, value in vars(self).items() if name not in ("settings", "rungs")}
        write_json(self.folder / FILE, {"settings": settings, **values, "rungs": [asdict(rung) for rung in self.rungs]})

    def _config(self) -> dict[str, Any]:
        return {name: value for name, value in to_config(self.settings).items() if name not in MAY_CHANGE}


def _typed(there: dict[str, Any], name: str, hint: Any) -> Any:
    if not fits(there.get(name), hint):
        raise Damaged(f"its {name} is of another type")
    return there.get(name)


def _rung(there: dict[str, Any], candidates: Collection[str]) -> Rung:
    contenders, seeds = _typed(there, "contenders", list[str]), _typed(there, "seeds", int)
    runs = []
    for run in _typed(there, "runs", list[list[Any]]):
        if len(run) != 3 or not (fits(run[0], str) and fits(run[1], int) and fits(run[2], int)):
            raise Damaged("one of its runs is not a candidate, a length and a seed")
        runs.append((run[0], run[1], run[2]))
    if not {*contenders, *(name for name, _, _ in runs)} <= set(candidates):
        raise Damaged("one of its runs is of no candidate")
    return Rung(tuple(contenders), seeds, tuple(runs))
