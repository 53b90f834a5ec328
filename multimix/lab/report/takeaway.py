"""One sentence: what a user should take from a comparison. Every word of it follows from the table."""

from collections.abc import Sequence

from multimix.lab.report.table import TableRow

QUESTIONS = {
    "equal-pairs": "with as many pairs and K mixes of each",
    "equal-compute": "with the same rows per step from B/K pairs",
    "equal-epochs": "with every image seen as often",
    "large-batch": "with a batch of K·B fresh pairs in place of K mixes",
}


def takeaway(rows: Sequence[TableRow]) -> str:
    """Returns the sentence; the comparison is of error, K against K = 1, seed by seed."""
    compared = [row for row in rows if "error" in row.changes]
    if not compared:
        return "There is nothing to compare yet: a comparison needs finished runs with K = 1 and with another K."
    controls = list(dict.fromkeys(row.row.control for row in compared))
    findings = [_finding(control, [row for row in compared if row.row.control == control]) for control in controls]
    return f"Against K = 1, in error: {'; '.join(findings)} – {_advice(compared)}."


def _finding(control: str, rows: Sequence[TableRow]) -> str:
    parts = []
    for verdict in ("better", "worse", "not distinguishable"):
        names = [_name(row) for row in rows if row.changes["error"].verdict == verdict]
        if names:
            parts.append(f"{verdict} for {_listed(names)}")
    ratios = [row.time_ratio_k1 for row in rows if row.time_ratio_k1 is not None]
    low, high = f"{min(ratios):.1f}", f"{max(ratios):.1f}"
    cost = low if low == high else f"{low}–{high}"
    return f"{QUESTIONS[control]} ({control}, {cost} × the training time) {', '.join(parts)}"


def _advice(rows: Sequence[TableRow]) -> str:
    """What to do: same-cost results first, as they need no trade-off; then what more computing buys."""
    same_cost = {row.changes["error"].verdict for row in rows if row.row.control == "equal-compute"}
    dearer = {row.changes["error"].verdict for row in rows if row.row.control in ("equal-pairs", "equal-epochs")}
    if same_cost >= {"better", "worse"}:
        return "at equal cost it depends on the method, so choose K per method"
    if "better" in same_cost:
        return "so load B/K pairs and mix each K times: it lowers the error at no cost"
    if "better" in dearer and "worse" in same_cost:
        return "so K > 1 pays only with computing to spare; at a fixed budget load more images and keep K = 1"
    if "better" in dearer:
        return "so K > 1 lowers the error only where the extra training time is paid for"
    if "worse" in same_cost | dearer:
        return "so keep K = 1 for training of this length"
    seeds = max(row.changes["error"].difference.n for row in rows)
    return (
        f"{seeds} seed{'s' * (seeds != 1)} cannot tell K from 1 here, so take the cheapest row or run more seeds or steps"
    )


def _name(row: TableRow) -> str:
    return f"{row.row.method} (K = {row.row.num_mixes})"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
