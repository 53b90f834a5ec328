"""DIR/metrics.csv: a row per record."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.core.csv_cells import as_cell
from multimix.lab.train.run_folder import Record
from multimix.lab.train.settings import TrainSettings


class Csv:
    """The whole file is written anew with each record, so a resumed run needs no care.

    The settings and the final evaluation have no place in a table; they lie beside it, in JSON.
    """

    def __init__(self, settings: TrainSettings, records: Sequence[Record]) -> None:
        self._path = Path(settings.out) / "metrics.csv"
        self._records = list(records)
        self._write()

    def log(self, record: Record) -> None:
        self._records.append(record)
        self._write()

    def finish(self, evaluation: Mapping[str, float] | None) -> None:
        """Leave the file as it is."""

    def _write(self) -> None:
        table = io.StringIO()
        columns = dict.fromkeys(name for record in self._records for name in record)
        writer = csv.DictWriter(table, columns, lineterminator="\n")
        writer.writerow({name: as_cell(name) for name in columns})
        writer.writerows(self._records)
        write_atomic(self._path, table.getvalue())
