"""What a tracker is: made with the settings, then given each record, those written down so far first, then the end."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from multimix.lab.core.errors import Damaged
from multimix.lab.core.json_file import read_text
from multimix.lab.train.run_folder import Record, to_config
from multimix.lab.train.settings import TrainSettings


class Tracker(Protocol):
    """When it is made it takes away what an earlier, stopped try left behind; the records follow.

    So it holds every step once, whatever that try still wrote after the checkpoint that the run goes on from, and also
    where it joins a run that began without it.
    """

    def log(self, record: Record) -> None:
        """Take down one more record."""

    def finish(self, evaluation: Mapping[str, float] | None) -> None:
        """Take down the final evaluation, None if the run did not get there, and close."""


def name_of(settings: TrainSettings) -> str:
    """Return what a run is called: as its folder."""
    return Path(settings.out).resolve().name


def stored_id(file: Path) -> str | None:
    """Return the id of a run that a tracker left in its folder; None where there is none that it can have written.

    It becomes part of the names of files that are removed: letters and digits cannot lead out of the folder.
    """
    try:
        found = read_text(file, most_bytes=1000).strip()
    except (FileNotFoundError, Damaged):
        return None
    return found if re.fullmatch(r"[0-9A-Za-z]{1,64}", found) else None


def parameters(settings: TrainSettings) -> dict[str, Any]:
    """Return the settings that a result depends on, flat: data_options.padding and the like."""
    result: dict[str, Any] = {}
    for name, value in to_config(settings).items():
        options = {f"{name}.{key}": option for key, option in value.items()} if isinstance(value, dict) else None
        result |= {name: value} if options is None else options
    return result


def metrics(record: Record) -> Record:
    """Return a record without the step, which trackers keep apart."""
    return {name: value for name, value in record.items() if name != "step"}


def final(evaluation: Mapping[str, float]) -> dict[str, float]:
    """Return the final evaluation under names that no record has."""
    return {f"final/{name}": value for name, value in evaluation.items()}
