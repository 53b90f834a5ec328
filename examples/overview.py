"""All examples in one table, from what they wrote: the table of docs/modalities.md.

python examples/overview.py
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness import RESULTS

from multimix.lab.report.words import with_interval
from multimix.lab.statistics import paired, t_interval, verdict

MARKS = {"worse": " ▲", "better": " ▼", "not distinguishable": ""}
HEAD = "| data | not mixed | method | K = 1 | K = 5, same rows | K = 5, same pairs | × time of K = 1 |"


def lines(name: str, task: Mapping[str, Any]) -> Iterator[str]:
    """Yields a line for each method of a task; only the first says which task it is."""
    none, *rows = task["rows"]
    unit = "" if task["score"] == "error, %" else f", {task['score']}"
    about = f"[{name}](../examples/results/{name}.md): {task['title']}{unit}", with_interval(t_interval(none["scores"]))
    for one, compute, pairs in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        cells = [with_interval(t_interval(one["scores"]))]
        for row in (compute, pairs):
            mark = MARKS[verdict(paired(row["scores"], one["scores"]).difference)]
            cells.append(with_interval(t_interval(row["scores"])) + mark)
        times = sum(pairs["cpu_time_s"]) / sum(one["cpu_time_s"])
        yield f"| {' | '.join([*about, one['method'], *cells, f'{times:.1f}'])} |"
        about = "", ""


def main() -> None:
    """Print the table."""
    print(f"{HEAD}\n|---|---:|---|---:|---:|---:|---:|")
    for file in sorted(RESULTS.glob("*.json")):
        for task in json.loads(file.read_text())["tasks"]:
            for line in lines(file.stem, task):
                print(line)


if __name__ == "__main__":
    main()
