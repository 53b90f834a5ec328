"""A comparison on disk: COMPARE/compare.json beside one folder per run and COMPARE/report.html."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from multimix.lab.config import CompareSettings
from multimix.lab.errors import UsageError
from multimix.lab.whole import write_json


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

    def write(self) -> None:
        """Writes `compare.json`; the commands of one that is there are kept."""
        file = self.folder / "compare.json"
        if file.exists():
            stored = json.loads(file.read_text())
            commands = [*stored.get("earlier", []), stored["command"]]
            self.earlier = [command for command in dict.fromkeys(commands) if command != self.command]
        write_json(file, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> "Comparison":
        """Reads a comparison from its folder, wherever that is now.

        Raises:
            UsageError: if the folder holds no comparison.
        """
        file = folder / "compare.json"
        if not file.exists():
            raise UsageError(
                f"the folder of a comparison must hold compare.json, got out={str(folder)!r}; "
                f"give the --out of a multimix compare"
            )
        stored = json.loads(file.read_text())
        known = {item.name for item in fields(CompareSettings)}
        values = {name: value for name, value in stored["settings"].items() if name in known} | {"out": str(folder)}
        for name, value in values.items():  # JSON knows no tuples
            if isinstance(value, list):
                values[name] = tuple(value)
        return cls(CompareSettings(**values), stored["command"], stored["failures"], stored.get("earlier", []))
