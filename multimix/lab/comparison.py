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
    """

    settings: CompareSettings
    command: str
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where it lives."""
        return Path(self.settings.out)

    def write(self) -> None:
        """Writes `compare.json`."""
        write_json(self.folder / "compare.json", asdict(self))

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
        return cls(CompareSettings(**values), stored["command"], stored["failures"])
