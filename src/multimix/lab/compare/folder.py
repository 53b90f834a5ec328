"""A comparison on disk: COMPARE/compare.json beside one folder per run and COMPARE/report.html."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.atomic_files import write_json
from multimix.lab.core.errors import Damaged, UsageError
from multimix.lab.core.json_file import read_json
from multimix.lab.core.own_folder import check_no_file, check_ours
from multimix.lab.train.stored_settings import fits, stored_settings

FILE = "compare.json"


@dataclass
class Comparison:
    """What was asked of a comparison, and what went wrong in it.

    Args:
        settings: What is compared.
        command: The command line.
        failures: Name of a run folder -> why its last try failed.
        earlier: Other command lines that made runs in the same folder, oldest first.
    """

    settings: CompareSettings
    command: str
    failures: dict[str, str] = field(default_factory=dict)
    earlier: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where it lives."""
        return Path(self.settings.out)

    def check(self) -> None:
        """Refuse a folder that belongs to somebody else; runs may be there already."""
        check_no_file(self.folder, "a comparison")
        check_ours(self.folder, FILE, "a comparison", may_hold=lambda path: (path / "config.json").is_file())

    def write(self, log: Callable[[str], None] = lambda line: None) -> None:
        """Write `compare.json`; the commands of one that is there are kept.

        Args:
            log: Called with one line if the file there is damaged, so that its commands are lost.
        """
        file = self.folder / FILE
        if file.exists():
            try:
                commands = _commands(read_json(file, dict))
                self.earlier = [command for command in dict.fromkeys(commands) if command != self.command]
            except Damaged as error:
                log(f"{file} is damaged and written anew, without the commands that it held: {error}")
        write_json(file, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> "Comparison":
        """Read a comparison from its folder, wherever that is now.

        Raises:
            UsageError: if the folder holds no comparison.
        """
        file = folder / FILE
        if not file.exists():
            raise UsageError(
                f"the folder of a comparison must hold compare.json, got out={str(folder)!r}; "
                f"give the --out of a multimix compare"
            )
        try:
            stored = read_json(file, dict)
            *earlier, command = _commands(stored)
            failures: Any = stored.get("failures")
            if not fits(failures, dict[str, str]):
                raise Damaged("it does not hold which runs failed, and why")
            return cls(_settings(stored, folder), command, failures, earlier)
        except Damaged as error:
            raise UsageError(
                f"a comparison's compare.json must be readable, got {file}: {error}; give its multimix compare "
                f"command again"
            ) from error


def _settings(stored: dict[str, Any], folder: Path) -> CompareSettings:
    values = stored.get("settings")
    if not isinstance(values, dict):
        raise Damaged("it holds no settings")
    known = {item.name for item in fields(CompareSettings)}  # later versions may have others
    given = {name: value for name, value in values.items() if name in known}
    return stored_settings(CompareSettings, given | {"out": str(folder)})


def _commands(stored: dict[str, Any]) -> list[str]:
    """Return the commands, oldest first."""
    earlier, command = stored.get("earlier", []), stored.get("command")
    if not fits([command], list[str]) or not fits(earlier, list[str]):
        raise Damaged("it holds no commands")
    return [*earlier, str(command)]
