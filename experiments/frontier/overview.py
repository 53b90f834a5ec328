"""python -m experiments.frontier.overview: one table of all data sets, from what `report` wrote of each."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.statistics import FEWEST_SEEDS, holm

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
PLANNED = 14  # A and B of seven data sets, those of the files in this folder
COLUMNS = ("none K=1", "none small batch", "K=1", "small batch", "K=5 same rows")
HEAD = [
    "# Study F: all data sets",
    "",
    "`python -m experiments.frontier.overview` printed this page from the results of each data set; what is compared "
    "and why: [the protocol](../frontier/README.md). Test errors in percent, means over methods, each arm at the rate "
    "and length chosen on validation samples. p: after Holm's correction over the "
    f"{PLANNED} comparisons planned, those not run counted as p = 1. Time: processor seconds "
    "until the small batch has the error that K=5 same rows reaches too, divided by those of K=5, "
    "lowest to highest of the methods.",
    "",
    f"| data | methods | n | {' | '.join(COLUMNS)} | A: K=5 − K=1 | p | B: K=5 − small batch | p | time |",
    "|---|---|---:|" + "---:|" * len(COLUMNS) + "---|---:|---|---:|---|",
]


def rows(studies: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of the table, one for each study that has results."""
    claimed = [len(study["seeds"]) >= FEWEST_SEEDS for study in studies]
    known = [
        study["differences"][f"{contrast}, pooled"]["p"] if claim else 1.0
        for study, claim in zip(studies, claimed, strict=True)
        for contrast in "AB"
    ]
    adjusted = holm(known + [1.0] * (PLANNED - len(known)))
    return [_row(study, adjusted[2 * i : 2 * i + 2] if claimed[i] else []) for i, study in enumerate(studies)]


def _row(study: Mapping[str, Any], p: Sequence[float]) -> str:
    protocol, name = study["protocol"], study["protocol"]["name"]
    methods = protocol["methods"]
    title = f"[{protocol['data']}, {protocol['labels_per_class']} labels per class](frontier-{name}.md)"
    cells = [title, ", ".join(methods), str(len(study["seeds"]))]
    for column in COLUMNS:
        arms = [column] if column.startswith("none") else [f"{method} {column}" for method in methods]
        cells.append(f"{100 * mean(study['errors'][arm] for arm in arms):.1f}")
    for i, contrast in enumerate("AB"):
        each = study["differences"][f"{contrast}, pooled"]
        cells.append(f"{100 * each['mean']:+.1f} [{100 * each['low']:+.1f}, {100 * each['high']:+.1f}]")
        cells.append(f"{p[i]:.3g}" if p else "no claim")
    ratios = [times["small batch"] / times["K=5 same rows"] for times in study["seconds_to_equal_error"].values()]
    reached = " to ".join(dict.fromkeys(f"{ratio:.1f}" for ratio in (min(ratios), max(ratios))))
    cells.append(reached if protocol["lengths"] > 1 else "one length")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Write the table; say which data sets have no results yet."""
    files = {file.stem: RESULTS / f"frontier-{file.stem}.json" for file in sorted(HERE.glob("*.yaml"))}
    studies = [json.loads(file.read_text("utf-8")) for file in files.values() if file.exists()]
    studies.sort(
        key=lambda study: (
            study["protocol"]["data"] != "digits",
            study["protocol"]["data"],
            study["protocol"]["labels_per_class"],
        )
    )
    missing = [name for name, file in files.items() if not file.exists()]
    page = RESULTS / "frontier.md"
    rest = [f"Without results yet: {', '.join(missing)}.", ""] if missing else []
    write_atomic(page, "\n".join([*HEAD, *rows(studies), "", *rest]))
    print(page)


if __name__ == "__main__":
    main()
