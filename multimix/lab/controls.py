"""What is held equal when K mixes are compared with one, and the runs that follow from it.

Relative to the K = 1 row of B pairs and S steps:

=============  ================  =====  ==============================================================
control        pairs × mixes     steps  question
=============  ================  =====  ==============================================================
equal-pairs    B × K             S      do K mixes help when they come on top (K times the compute)?
equal-compute  B/K × K           S      are K mixes of few pairs worth as much as one mix of many?
equal-epochs   B/K × K           K·S    and if every image is seen as often (K times the compute)?
large-batch    K·B × 1           S      or would K times as many fresh pairs have done as well?
=============  ================  =====  ==============================================================
"""

from collections.abc import Iterator
from dataclasses import dataclass

from multimix.lab.config import CompareSettings, TrainSettings, shared
from multimix.lab.data import open_data
from multimix.lab.mixing import options_for


@dataclass(frozen=True)
class Row:
    """A row of the table: a method, K and a control (empty for K = 1, which every control refers to)."""

    method: str
    num_mixes: int
    control: str = ""

    @property
    def name(self) -> str:
        """The row's part of its runs' folder names."""
        mixes = "" if self.method == "none" else f"k{self.num_mixes}"
        return "-".join(part for part in (self.method, mixes, self.control) if part)

    def settings(self, compare: CompareSettings, steps: int, seed: int) -> TrainSettings:
        """Returns the settings of this row's run with one seed, where the K = 1 row takes `steps` steps."""
        k = self.num_mixes
        recipe = shared(compare) | {
            "method_options": options_for(self.method, compare.method_options),
            "batch_size": compare.batch_size * (k if self.control in ("equal-pairs", "large-batch") else 1),
            "steps": steps * (k if self.control == "equal-epochs" else 1),
            "epochs": None,
        }
        return TrainSettings(
            **recipe,
            method=self.method,
            num_mixes=1 if self.control == "large-batch" else k,
            seed=seed,
            out=f"{compare.out}/{self.name}-s{seed}",
        )


def rows(compare: CompareSettings) -> list[Row]:
    """Returns the table's rows, in its order."""
    return [row for method in compare.methods for row in _rows_of(method, compare)]


def runs(compare: CompareSettings) -> list[tuple[Row, TrainSettings]]:
    """Returns every run in the order of execution: seed by seed, so that a drift in speed meets all rows alike."""
    steps = _base_steps(compare)
    return [(row, row.settings(compare, steps, seed)) for seed in range(compare.seeds) for row in rows(compare)]


def _rows_of(method: str, compare: CompareSettings) -> Iterator[Row]:
    if method == "none":
        yield Row(method, 1)
        return
    for k in compare.num_mixes:
        if k == 1:
            yield Row(method, 1)
        else:
            yield from (Row(method, k, control) for control in compare.controls)


def _base_steps(compare: CompareSettings) -> int:
    if compare.steps is not None:
        return compare.steps
    data = open_data(compare.data, compare.data_options, root=compare.data_root, on_bad_file=compare.on_bad_file)
    return compare.total_steps(len(data.train), compare.batch_size)
