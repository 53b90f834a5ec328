"""One sentence: what a user should take from a comparison. Every word of it follows from the table."""

from collections.abc import Sequence

from multimix.lab.report.table import TableRow

QUESTIONS = {
    "equal-pairs": "K mixes of as many pairs (equal-pairs)",
    "equal-compute": "K mixes of B/K pairs (equal-compute)",
    "equal-epochs": "K mixes of B/K pairs and K times the steps (equal-epochs)",
    "large-batch": "one mix of K·B fresh pairs (large-batch)",
}


def takeaway(rows: Sequence[TableRow]) -> str:
    """Returns the sentence; the comparison is of error, K against K = 1, seed by seed."""
    compared = [row for row in rows if "error" in row.changes]
    if not compared:
        return "There is nothing to compare yet: that takes finished runs with K = 1 and with another K."
    controls = list(dict.fromkeys(row.row.control for row in compared))
    findings = [_finding(control, [row for row in compared if row.row.control == control]) for control in controls]
    return f"Error against K = 1: {'; '.join(findings)}: {_advice(compared)}."


def _finding(control: str, rows: Sequence[TableRow]) -> str:
    parts = []
    for verdict in ("better", "worse", "not distinguishable"):
        names = [
            f"{row.row.method} (K = {row.row.num_mixes})" for row in rows if row.changes["error"].verdict == verdict
        ]
        if names:
            parts.append(f"{verdict} for {_listed(names)}")
    ratios = [f"{row.time_ratio_k1:.1f}" for row in rows if row.time_ratio_k1 is not None]
    low, high = min(ratios, key=float), max(ratios, key=float)
    cost = low if low == high else f"{low} to {high}"
    return f"with {QUESTIONS[control]}, at {cost} × the training time, {', '.join(parts)}"


def _advice(rows: Sequence[TableRow]) -> str:
    """What to do: results at equal cost come first, as they need no trade-off; then what more computing buys."""
    equal = {row.changes["error"].verdict for row in rows if row.row.control == "equal-compute"}
    dearer = {row.changes["error"].verdict for row in rows if row.row.control in ("equal-pairs", "equal-epochs")}
    if equal >= {"better", "worse"}:
        return "at equal cost it depends on the method, so choose K per method"
    if "better" in equal:
        return "load B/K pairs and mix each K times, which lowers the error at no cost"
    if "better" in dearer and "worse" in equal:
        return "K > 1 pays only with computing to spare; at a fixed budget load more images and keep K = 1"
    if "better" in dearer:
        return "K > 1 lowers the error where the extra training time is paid for, and only there"
    if "worse" in equal | dearer:
        return "keep K = 1 for training of this length"
    seeds = max(row.changes["error"].difference.n for row in rows)
    return f"{seeds} seed{'s' * (seeds != 1)} cannot tell them apart, so keep the cheapest or run more seeds or steps"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
