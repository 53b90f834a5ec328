"""Study V: in batches of which size do K mixes per pair vary less than K times the pairs?

    python experiments/variance_batch_size.py digits
    python experiments/variance_batch_size.py cifar10 --data-root DIR

Proposition III.2 of Shen et al., 2024 (arXiv 2406.01417) says that the gradient of P pairs × K varies less than that of
K P pairs × 1. Theory (docs/variance.md) says: never with a λ per pair; with one λ for the batch, as published, from
P* = A_eff / B pairs on, because what one λ adds does not shrink with the batch. So there must be a size from which it
holds; this measures which.

One run is trained with K = 1 (mixup, then CutMix), 120 rows per update. At the moments below its weights stand still,
and batches of P pairs × 5 and of 5 P pairs × 1 are drawn: with one i.i.d. λ per batch, as published, and as this
library draws by default, stratified with a λ per pair; and P pairs × 1, for Proposition III.1. Samples are drawn with
replacement, and batch norm is in training mode. P pairs × 5 and P pairs × 1 have the same samples, 5 P pairs × 1 have
their own.

- digits, small-cnn: P from 30 to 960, at 0, 50 and 100 % of 500 updates, 32 replicates.
- CIFAR-10, PreActResNet-18 of width 16: P from 30 to 240, at 100 % of 300 updates, 12 replicates.

What follows from what, written before the runs: III.2 *holds* at a size if the whole 95 % interval of
V(P pairs × 5) / V(5 P pairs × 1) is below 1, *does not hold* if it is above 1, else it is *not significant*. Beside it
stands the P* that the parts predict where there are parts (mixup; batch norm with kept statistics). No claim is made
between sizes, nor about error: least variance is not least error.

Digits take ten minutes on one core, CIFAR-10 half an hour. Writes results/variance_batch_size_NAME.json and
.md.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from multimix.lab.core.atomic_files import write_atomic, write_json
from multimix.lab.core.machine import environment
from multimix.lab.core.processes import launched
from multimix.lab.data import Data
from multimix.lab.train.moments import Moment
from multimix.lab.train.run import open_data_of
from multimix.lab.variance.claims import drawn, verdict
from multimix.lab.variance.designs import LARGE, MIXES, Design
from multimix.lab.variance.measuring import Measured, gradients
from multimix.lab.variance.moment import as_numbers, finite
from multimix.lab.variance.parts import batch_table, why_not
from multimix.lab.variance.probe import Probe
from multimix.lab.variance.run import trained
from multimix.lab.variance.settings import VarianceSettings
from multimix.variance import components, ratio

HERE = Path(__file__).parent / "results"
NUM_MIXES = 5
DRAWS = (("iid", "batch", "same"), ("stratified", "pair", "same"))
MARKS = {"below": "▼ ", "above": "▲ ", "not significant": ""}
Json = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """What is measured on one data set.

    Args:
        title: Data and model, in words.
        settings: Of the run, by name.
        pairs: The sizes, P.
        methods: What is mixed by.
    """

    title: str
    settings: Json
    pairs: tuple[int, ...]
    methods: tuple[str, ...] = ("mixup", "cutmix")

    def of(self, method: str, data_root: str | None = None) -> VarianceSettings:
        """Returns the settings of one run."""
        return VarianceSettings(method=method, out="unused", data_root=data_root, **self.settings)


PARTS = {
    "digits": Part("digits, small-cnn", {"steps": 500, "replicates": 32}, (30, 60, 120, 240, 480, 960)),
    "cifar10": Part(
        "CIFAR-10, PreActResNet-18 of width 16",
        {
            "data": "cifar10",
            "model": "preact-resnet18",
            "model_options": {"width": 16},
            "steps": 300,
            "replicates": 12,
            "at": ("100%",),
        },
        (30, 60, 120, 240),
    ),
}


def measured(settings: VarianceSettings, data: Data, pairs: tuple[int, ...]) -> Iterator[Json]:
    """Trains one run, and yields what is found for each moment, draw and size."""
    fabric = launched(settings.device, settings.precision)
    data = data.to(fabric.device)
    length = settings.run.length(len(data.train))
    stops = [round(Moment.of_run("at", at).step(length)) for at in settings.at]
    for at, learner in zip(settings.at, trained(settings.run, fabric, data, stops), strict=True):
        probe = Probe.of(learner, data)
        predicted = _crossing(probe, settings)
        for draw in DRAWS:
            for size in pairs:
                one, mixes, large = (
                    Measured.of(gradients(probe, design, settings.replicates)).variance
                    for design in (
                        Design.of(MIXES, 1, size, draw),
                        Design.of(MIXES, NUM_MIXES, size, draw),
                        Design.of(LARGE, NUM_MIXES, size, draw),
                    )
                )
                yield {
                    "method": settings.method,
                    "at": at,
                    "drawn": drawn(asdict(Design.of(MIXES, NUM_MIXES, size, draw))),
                    "num_pairs": size,
                    "variance": as_numbers(one),
                    "to_one": as_numbers(ratio(mixes, one)),
                    "mixes_to_large": as_numbers(ratio(mixes, large)),
                    "predicted_crossing": predicted if draw[1] == "batch" else None,
                }


def _crossing(probe: Probe, settings: VarianceSettings) -> float | None:
    """Returns P* = A_eff / B, from parts measured in batches of the run's size; None where there are none."""
    if why_not(probe, settings.replicates):
        return None
    probe.set_norm("kept")
    found = components(batch_table(probe, settings.batch_size, settings.replicates))
    return finite(settings.batch_size * found.pair / found.coefficient) if found.coefficient > 0 else None


def page(name: str, found: list[Json]) -> str:
    """Returns the page: a table for each proposition, a column for each size."""
    one, mixes, large = "V(P pairs × 1)", f"V(P pairs × {NUM_MIXES})", f"V({NUM_MIXES} P pairs × 1)"
    lines = [
        f"# Gradient variance by batch size: {PARTS[name].title}",
        "",
        f"Printed by `python experiments/variance_batch_size.py {name}`; the protocol is in that file. "
        f"{found[0]['variance']['n']} replicates, one run. In brackets 95 % intervals: "
        "▼ below 1, the proposition holds; ▲ above 1, it does not; else not significant.",
        "",
        f"## III.2: {mixes} / {large}",
        "",
        *_table(found, "mixes_to_large", crossing=True),
        "",
        "P* predicted: A_eff / B with kept statistics of batch norm, where the parts can be had.",
        "",
        f"## III.1: {mixes} / {one}",
        "",
        *_table(found, "to_one", crossing=False),
    ]
    return "\n".join(lines) + "\n"


def _table(found: list[Json], key: str, crossing: bool) -> Iterator[str]:
    groups: dict[tuple[str, str, str], list[Json]] = {}
    for row in found:
        groups.setdefault((row["method"], row["drawn"], row["at"]), []).append(row)
    sizes = [f"P = {row['num_pairs']}" for row in next(iter(groups.values()))]
    head = ["method", "drawn", "at", *sizes, *(["P* predicted"] if crossing else [])]
    yield f"| {' | '.join(head)} |"
    yield f"|---|---|---|{'---:|' * (len(head) - 3)}"
    for names, rows in groups.items():
        cells = [*names, *(f"{MARKS[verdict(row[key])]}{_ratio(row[key])}" for row in rows)]
        if crossing:
            predicted = rows[0]["predicted_crossing"]
            cells.append("" if predicted is None else f"{predicted:,.0f}")
        yield f"| {' | '.join(cells)} |"


def _ratio(found: Json) -> str:
    return f"{found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=list(PARTS), help="what is measured")
    parser.add_argument("--data-root", help="folder of local copies of data sets")
    given = parser.parse_args()
    part, found = PARTS[given.name], []
    for method in part.methods:
        settings = part.of(method, given.data_root)
        for row in measured(settings, open_data_of(settings.run, 1), part.pairs):
            print(row["method"], row["drawn"], row["at"], row["num_pairs"], _ratio(row["mixes_to_large"]), flush=True)
            found.append(row)
    target = HERE / f"variance_batch_size_{given.name}"
    write_json(target.with_suffix(".json"), {"rows": found, "environment": environment(torch.device("cpu"), 1)})
    write_atomic(target.with_suffix(".md"), page(given.name, found))
    print(page(given.name, found))


if __name__ == "__main__":
    main()
