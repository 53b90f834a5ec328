"""All examples in one table, from what they wrote: results/overview.md.

python examples/overview.py
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness import RESULTS

from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.report.words import with_interval
from multimix.lab.statistics import paired, t_interval, verdict

MARKS = {"worse": " ▲", "better": " ▼", "not significant": ""}
INTRODUCTION = """# Results of the examples

Printed by `python examples/overview.py` from what each example wrote. Five seeds, mean ± half-width of the 95 %
t-interval; test error in % where nothing else is said; ▼ better, ▲ worse than K = 1 of the same method, paired by seed,
without correction for thirty-two comparisons. *Same rows* mixes a fifth of the pairs five times, *same pairs* all of
them ([controls](../../docs/concepts.md#controls)), and the last column is what that costs, in processor time. Small
networks, 200 to 800 steps. What follows from it: [Results](../../docs/results.md).

"""
HEAD = "| data | not mixed | method | K = 1 | K = 5, same rows | K = 5, same pairs | × time of K = 1 |"


def lines(name: str, task: Mapping[str, Any]) -> Iterator[str]:
    """Yields a line for each method of a task; only the first says which task it is."""
    none, *rows = task["rows"]
    unit = "" if task["score"] == "error, %" else f", {task['score']}"
    about = f"[{name}]({name}.md): {task['title']}{unit}", with_interval(t_interval(none["scores"]))
    for one, compute, pairs in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        cells = [with_interval(t_interval(one["scores"]))]
        for row in (compute, pairs):
            mark = MARKS[verdict(paired(row["scores"], one["scores"]).difference)]
            cells.append(with_interval(t_interval(row["scores"])) + mark)
        times = sum(pairs["cpu_time_s"]) / sum(one["cpu_time_s"])
        yield f"| {' | '.join([*about, one['method'], *cells, f'{times:.1f}'])} |"
        about = "", ""


def page() -> str:
    """Returns the page: an introduction and the table."""
    files = sorted(RESULTS.glob("*.json"))
    found = [(file.stem, task) for file in files for task in json.loads(file.read_text())["tasks"]]
    rows = [line for name, task in found for line in lines(name, task)]
    return INTRODUCTION + "\n".join([HEAD, "|---|---:|---|---:|---:|---:|---:|", *rows]) + "\n"


def main() -> None:
    """Print the page, and write it."""
    write_atomic(RESULTS / "overview.md", page())
    print(page())


if __name__ == "__main__":
    main()
