"""One sentence: what a user should take from a comparison. Every word of it follows from the table."""

from collections.abc import Iterator, Sequence

from multimix.lab.compare.controls import CONTROLS
from multimix.lab.compare.rows import Row
from multimix.lab.report import words
from multimix.lab.report.table import TableRow
from multimix.lab.statistics import FEWEST_SEEDS

MANY = 20  # comparisons with one control; more are counted, not named


def takeaway(rows: Sequence[TableRow]) -> str:
    """Return the sentence; the comparison is of error, K against K = 1, seed by seed; then one about variants."""
    varied = [row for row in rows if row.row.variant and "error" in row.changes]
    compared = [row for row in rows if not row.row.variant and "error" in row.changes]
    if varied:
        about = f"Error with a variant against the same row without: {'; '.join(findings_of_variants(varied))}."
        return f"{takeaway(compared)} {about}" if compared else about
    if not compared:
        return "K is not compared: that takes finished runs with K = 1 and with another K of the same method."
    if all(row.changes["error"].verdict == "not significant" for row in compared):  # said once, by the advice
        return f"{question(compared)} {advice(compared)}. Cost: {'; '.join(findings(compared, judged=False))}."
    return f"{question(compared)} {'; '.join(findings(compared))}: {advice(compared)}."


def question(compared: Sequence[TableRow]) -> str:
    """Return what rows with K > 1 are asked, as the beginning of a sentence."""
    return f"Error of K = {_listed(sorted({row.row.num_mixes for row in compared}))} against K = 1:"


def findings(compared: Sequence[TableRow], judged: bool = True) -> list[str]:
    """Return the answer for each control; only its cost where nothing is to be judged by it."""
    controls = dict.fromkeys(row.row.control for row in compared)
    by_control = {control: [row for row in compared if row.row.control == control] for control in controls}
    waited = bool(words.waited(compared))
    return [
        f"with {CONTROLS[control].about} ({control}), at {_cost(rows, waited)}"
        + (f", {_verdicts(rows)}" if judged else "")
        for control, rows in by_control.items()
    ]


def findings_of_variants(varied: Sequence[TableRow]) -> list[str]:
    """Return the answer for each variant."""
    names = dict.fromkeys(row.row.variant for row in varied)
    return [f"{name} {_verdicts([row for row in varied if row.row.variant == name])}" for name in names]


def _cost(rows: Sequence[TableRow], waited: bool) -> str:
    """Return what rows cost in units of their references: the processors' time where others kept them waiting."""
    ratios = [row.cpu_time_ratio_reference if waited else row.time_ratio_reference for row in rows]
    texts = [f"{ratio:.1f}" for ratio in ratios if ratio is not None]
    low, high = min(texts, key=float), max(texts, key=float)
    return f"{low if low == high else f'{low} to {high}'} × the {'processor' if waited else 'training'} time"


def _verdicts(rows: Sequence[TableRow]) -> str:
    parts = []
    for verdict in ("better", "worse", "not significant"):
        those = [row for row in rows if row.changes["error"].verdict == verdict]
        if len(rows) > MANY:
            parts.append(f"{verdict} in {len(those)}")
        elif those:
            parts.append(f"{verdict} for {_listed(list(_names(those, rows)))}")
    return ", ".join(parts) + (f" of {len(rows)} comparisons" if len(rows) > MANY else "")


def advice(rows: Sequence[TableRow]) -> str:
    """Return what to do: results at equal cost first, as they need no trade-off; then what more computing buys."""
    n = max(row.changes["error"].difference.n for row in rows)
    seeds = f"{n} seed{'s' * (n != 1)}"
    if n < FEWEST_SEEDS:
        return f"{seeds} {'is' if n == 1 else 'are'} too few for advice on K; run five or more (--seeds 5)"
    equal, dearer, longer = (
        {row.changes["error"].verdict for row in rows if row.row.control == control}
        for control in ("same-rows", "same-pairs", "same-images")
    )
    if equal >= {"better", "worse"}:
        return f"at equal cost it depends on {_what_varies(rows)}, so measure before choosing K"
    if "better" in equal:
        return "load B/K pairs and mix each K times where that lowers the error, for the same number of rows"
    if "better" in dearer and "worse" in equal:
        return "K > 1 pays only with computing to spare; at a fixed budget load more images and keep K = 1"
    if "better" in dearer:
        return "K > 1 lowers the error where the extra training time is paid for, and only there"
    if "better" in longer:
        return "same-images makes K times the updates of K = 1, so its gain is not due to K alone; compare small-batch"
    if "worse" in equal | dearer | longer:
        return f"by these {seeds}, keep K = 1 for training of this length"
    if not equal | dearer | longer:
        return "no row here has K > 1, so K is not judged"
    none = f"with K mixes of a pair the differences are not significant with {seeds}"
    return f"{none}, so keep the cheapest or run more seeds or steps"


def _what_varies(rows: Sequence[TableRow]) -> str:
    given: dict[str, set[object]] = {
        "the method": {row.row.method for row in rows},
        "K": {row.row.num_mixes for row in rows},
        "alpha": {row.row.alpha for row in rows},
        "the length of training": {row.row.length for row in rows},
    }
    return _listed([name for name, values in given.items() if len(values) > 1] or ["the row"])  # twice in the file


def _names(those: Sequence[TableRow], rows: Sequence[TableRow]) -> Iterator[str]:
    """Yield the methods of those rows; the rest of a row's name where not all rows of its method are among them."""
    alphas, lengths, controls, several = (
        len({value for value in values if value is not None}) > 1
        for values in zip(*((r.row.alpha, r.row.length, r.row.control, r.row.num_mixes) for r in rows), strict=True)
    )

    def kind(row: Row) -> tuple[str, str, float | None, int | None]:
        return row.method, row.control, row.alpha if alphas else None, row.num_mixes if lengths else None

    for shared in dict.fromkeys(kind(row.row) for row in those):
        kin = [row.row for row in rows if kind(row.row) == shared]
        own = [row.row for row in those if kind(row.row) == shared]
        method, control, alpha, k = shared
        apart = [f"α = {alpha:g}"] if alpha is not None else []
        if k is not None:
            apart += [f"K = {k}"] if several else []
            apart += [f"{_listed([row.length for row in own])} steps"] if len(own) < len(kin) else []
        elif len(own) < len(kin):
            apart += [f"K = {_listed([row.num_mixes for row in own])}"]
        apart += [control] if controls and control else []
        yield f"{method} ({', '.join(apart)})" if apart else method


def _listed(things: Sequence[object]) -> str:
    *most, last = map(str, things)
    return f"{', '.join(most)} and {last}" if most else last
