"""The runs of a comparison, and the tables' rows that they make: data × methods × alphas × K × controls × lengths."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from multimix.lab.compare.controls import CONTROLS, SINGLE, Control
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.data import Data, data_options_for, open_data
from multimix.lab.train.method_schedule import options_for
from multimix.lab.train.recipe import shared
from multimix.lab.train.settings import TrainSettings


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Args:
        method: Name of the method.
        num_mixes: K.
        control: One of `CONTROLS`; empty for K = 1, which every control refers to.
        alpha: The method's alpha; None where it is not varied, or the method has none.
        data: The data set; empty where all rows share one.
        variant: Name of the settings that are changed in it; empty where they are the comparison's.
        length: Steps of the row with K = 1 that it is compared with; None where they are the same for all rows.
    """

    method: str
    num_mixes: int
    control: str = ""
    alpha: float | None = None
    data: str = ""
    variant: str = ""
    length: int | None = None

    @property
    def label(self) -> str:
        """Its name among the rows of its data set."""
        alpha = "" if self.alpha is None else f"a{self.alpha!r}"
        mixes = "" if self.method == "none" and not self.control else f"k{self.num_mixes}"
        length = "" if self.length is None else f"{self.length}-steps"
        return "-".join(part for part in (self.method, alpha, mixes, self.control, self.variant, length) if part)

    @property
    def name(self) -> str:
        """Its part of its runs' folder names."""
        label = as_file_name(self.method) + self.label.removeprefix(self.method)
        return f"{_data_as_file_name(self.data)}-{label}" if self.data else label

    @property
    def single(self) -> "Row":
        """The row with K = 1 that it refers to."""
        return replace(self, num_mixes=1, control="")

    @property
    def reference(self) -> "Row | None":
        """The row that it is compared with: without its variant; else with K = 1; that one with nothing."""
        if self.variant:
            return replace(self, variant="")
        return self.single if self.control else None

    @property
    def trained_as(self) -> Control:
        """Its pairs, rows and updates, relative to the row with K = 1."""
        return CONTROLS.get(self.control, SINGLE)

    @property
    def times_updates(self) -> int:
        """Its updates, in units of those of the row with K = 1."""
        return int(self.num_mixes**self.trained_as.updates)

    def folder(self, compare: CompareSettings, seed: int) -> str:
        """Return the folder of its run with one seed."""
        return f"{compare.out}/{self.name}-s{seed}"

    def settings(self, compare: CompareSettings, steps: int, seed: int) -> TrainSettings:
        """Return the settings of its run with one seed, where the K = 1 row takes `steps` steps."""
        k = self.num_mixes
        data = self.data or compare.data[0]
        varied = {} if self.alpha is None else {"alpha": self.alpha}
        recipe = shared(compare) | {
            "method_options": options_for(self.method, compare.method_options) | varied,
            "batch_size": self.trained_as.batch_size(compare.batch_size, k),
            "steps": steps * self.times_updates,
            "epochs": None,
            "num_mixes": k if self.trained_as.mixes else 1,
        }
        changes = dict(compare.variants[self.variant]) if self.variant else {}
        recipe["method_options"] |= changes.pop("method_options", {})
        return TrainSettings(
            **recipe | changes,
            data=data,
            data_options=data_options_for(data, compare.data_options),
            method=self.method,
            seed=seed,
            out=self.folder(compare, seed),
        )


def rows(compare: CompareSettings) -> list[Row]:
    """Return the tables' rows, in their order."""
    several = compare.data if len(compare.data) > 1 else ("",)
    lengths = compare.lengths or (None,)
    kinds = [row for data in several for method in compare.methods for row in _rows_of(data, method, compare)]
    plain = [replace(row, length=length) for row in kinds for length in lengths]
    return [each for row in plain for each in (row, *_variants(row, compare))]


def runs(compare: CompareSettings) -> list[tuple[Row, TrainSettings]]:
    """Return every run in the order of execution: seed by seed, so that a drift in speed meets all rows alike.

    Raises:
        UsageError: if a row's settings do not fit together, or data in which steps are counted cannot be used.
    """
    for row in rows(compare):  # a bad row is found now, not after the good ones have run
        row.settings(compare, steps=1, seed=0)
    steps = {data: _base_steps(compare, data) for data in compare.data}
    return [
        (row, row.settings(compare, row.length or steps[row.data or compare.data[0]], seed))
        for seed in range(compare.seeds)
        for row in rows(compare)
    ]


def _rows_of(data: str, method: str, compare: CompareSettings) -> Iterator[Row]:
    if method == "none":  # nothing is mixed K times, but batches may be smaller or larger, and updates more
        yield Row(method, 1, data=data)
        plain = [control for control in compare.controls if not CONTROLS[control].mixes]
        yield from (Row(method, k, control, data=data) for k in compare.num_mixes if k > 1 for control in plain)
        return
    has_alpha = bool(options_for(method, {"alpha": None}))
    alphas = compare.alphas if compare.alphas and has_alpha else (None,)
    for alpha in alphas:
        for k in compare.num_mixes:
            if k == 1:
                yield Row(method, 1, alpha=alpha, data=data)
            else:
                yield from (Row(method, k, control, alpha, data) for control in compare.controls)


def _variants(row: Row, compare: CompareSettings) -> Iterator[Row]:
    """Yield a row with each variant that means something to it."""
    for name, changes in compare.variants.items():
        options = changes.get("method_options", {})
        fits = row.method != "none" and options_for(row.method, options) == options
        if fits and ("num_mixes" not in changes or row.num_mixes == 1):
            yield replace(row, variant=name)


def _base_steps(compare: CompareSettings, data: str) -> int:
    if compare.epochs is None:
        return compare.steps or max(compare.lengths)
    return compare.total_steps(len(_opened(compare, data).train), compare.batch_size)


def _opened(compare: CompareSettings, data: str) -> Data:
    options = data_options_for(data, compare.data_options)
    opened = open_data(data, options, root=compare.data_root, on_bad_file=compare.on_bad_file)
    return opened.with_splits(compare.validation_share, compare.labels_per_class, compare.split_seed)


def as_file_name(method: str) -> str:
    """Return a method's name as a part of a file name; a schedule's as its words and a check sum."""
    return method if re.fullmatch(r"\w+", method, re.ASCII) else _with_check_sum(method, method)


def _data_as_file_name(data: str) -> str:
    """Return a data set's name as a part of a file name; one with a path in it, by its end and a check sum of all."""
    if re.fullmatch(r"[\w.-]+", data, re.ASCII):
        return data
    return _with_check_sum(re.split(r"[/:]", data.rstrip("/"))[-1], data)


def _with_check_sum(part: str, name: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9_.]+', '-', part)}-{zlib.crc32(name.encode()):08x}"
