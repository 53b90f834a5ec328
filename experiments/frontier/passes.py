"""python -m experiments.frontier.passes: K = 5 beside K = 1 and a small batch by the length of training, in passes."""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from experiments.frontier.choose import means
from experiments.frontier.protocol import TUNING_SEEDS, Arm, Protocol
from experiments.frontier.records import Records
from multimix.lab.core.atomic_files import write_atomic

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
CLASSES = {"digits": 10, "cifar10": 10, "fsdd": 10, "cub-200-2011": 200}
EDGES = (8, 15, 30, 60, 120, 240, 480, 960, 1920)  # passes up to which a column reaches, from the one before it on
OTHERS = ("K=1", "small batch")
HEAD = """# Study F by the length of training

`python -m experiments.frontier.passes` printed this page from the tuning runs of [study F](../frontier/README.md). It
was not planned before the runs: no test was made, and nothing is claimed of single numbers. Read only what all rows
show.

Each number is the validation error of *K=5 same rows* minus that of another arm, in points, at one number of rows,
each at the best of the learning rates that were tried there; means over the tuning seeds, n. Below zero K = 5 is
better. Columns: how often the rows of K = 1 go through the data. K = 5 with the same rows draws each sample a fifth
as often, for five mixes each time.

Long runs were tried at fewer rates, not the same for each arm. Where K = 1 is past its best length its error rises
again; the tables of each data set compare best with best. On birds with K = 5 and in the small batch, and on CIFAR-10
with 500 labels per class and all of it, the best rate is at an end of the list.
"""


def best_errors(protocol: Protocol, records: Records, arm: Arm) -> dict[int, float]:
    """Return the least mean validation error of an arm at each length, over the rates that were tried there."""
    seeds = range(TUNING_SEEDS, TUNING_SEEDS + protocol.tuning_seeds)
    found: dict[int, float] = {}
    for rate in protocol.rates:
        for length, error in means(records.of(arm.name, seeds), rate).items():
            found[length] = min(error, found.get(length, math.inf))
    return found


def differences(protocol: Protocol, records: Records, method: str, other: str) -> dict[float, float]:
    """Return points of error of K=5 same rows minus another arm of a method, by passes of K = 1 over the data."""
    arms = {arm.name: arm for arm in protocol.arms()}
    ours, its = (best_errors(protocol, records, arms[f"{method} {kind}"]) for kind in ("K=5 same rows", other))
    samples = protocol.labels_per_class * CLASSES[protocol.data]
    return {
        length * protocol.batch_size / samples: 100 * (ours[length] - its[length])
        for length in sorted(ours.keys() & its.keys())
    }


def row(name: str, method: str, seeds: int, found: Mapping[float, float]) -> str:
    """Return a line of a table.

    Raises:
        ValueError: if a length falls into no column, or two into one.
    """
    cells = [""] * len(EDGES)
    for passes, points in found.items():
        column = bisect_left(EDGES, passes)
        if column == len(EDGES) or cells[column]:
            raise ValueError(f"each column must take one of the lengths, got {list(found)} for {EDGES}; change EDGES")
        cells[column] = f"{points:+.1f}"
    return f"| {name} | {method} | {seeds} | {' | '.join(cells)} |"


def table(studies: Sequence[tuple[Protocol, Records]], other: str) -> str:
    """Return the table beside one of the other arms."""
    columns = " | ".join(f"{low + 1} to {high}" if low else f"up to {high}" for low, high in pairwise((0, *EDGES)))
    lines = [
        f"## K=5 same rows − {other}",
        "",
        f"| data | method | n | {columns} |",
        "|---|---|---:|" + "---:|" * len(EDGES),
    ]
    for protocol, records in studies:
        name = f"{protocol.data}, {protocol.labels_per_class} labels per class"
        found = {method: differences(protocol, records, method, other) for method in protocol.methods}
        lines += [row(name, method, protocol.tuning_seeds, points) for method, points in found.items() if points]
    return "\n".join(lines)


def main() -> None:
    """Write the page, of all data sets that have records."""
    protocols = [Protocol.read(file) for file in sorted(HERE.glob("*.yaml"))]
    protocols.sort(key=lambda p: (p.data != "digits", p.data, p.labels_per_class))
    studies = [(protocol, Records(RESULTS / f"frontier-{protocol.name}")) for protocol in protocols]
    page = RESULTS / "frontier-passes.md"
    known = [study for study in studies if study[1].all]
    write_atomic(page, "\n\n".join([HEAD.rstrip(), *(table(known, other) for other in OTHERS)]) + "\n")
    print(page)


if __name__ == "__main__":
    main()
