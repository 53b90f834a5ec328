"""What wins, by how much, how sure, at what cost: sentences, every word of which follows from the table."""

from collections.abc import Callable, Iterator, Sequence

from multimix.lab.report import words
from multimix.lab.report.table import Change, TableRow
from multimix.lab.report.takeaway import advice, cost, findings, findings_of_variants, question, takeaway

SIGNIFICANCE = 0.05


def summary(rows: Sequence[TableRow]) -> list[str]:
    """Return the sentences for one data set; what speaks against K > 1 stands beside what speaks for it."""
    return [*_answers(rows), *_lowest(rows), *_extremes(rows), *_counts(rows), *_power(rows)]


def _answers(rows: Sequence[TableRow]) -> Iterator[str]:
    """Yield the sentence that a terminal prints, in its parts."""
    compared = [row for row in rows if "error" in row.changes]
    plain, varied = ([row for row in compared if bool(row.row.variant) == kind] for kind in (False, True))
    if not compared:
        yield takeaway(rows)
    if plain:
        yield f"{question(plain)} {advice(plain)}."
        for finding in findings(plain):
            yield f"{finding[:1].upper()}{finding[1:]}."
    for finding in findings_of_variants(varied):
        yield f"Error with a variant against the same row without: {finding}."


def _well_known(rows: Sequence[TableRow]) -> list[TableRow]:
    """Return the rows with the most seeds: a row with fewer is extreme more easily."""
    most = max((len(row.results) for row in rows), default=0)
    return [row for row in rows if len(row.results) == most]


def _lowest(rows: Sequence[TableRow]) -> Iterator[str]:
    done = _well_known([row for row in rows if "error" in row.metrics])
    if len(done) > 1:
        best = min(done, key=lambda row: row.metrics["error"].mean)
        runs = len(best.results)
        yield (
            f"Lowest mean error of the {len(done)} rows with {runs} seed{'s' * (runs != 1)}: {best.row.label}, "
            f"{words.with_interval(best.metrics['error'], 100)} %. Being the lowest of many is in part luck."
        )


def _extremes(rows: Sequence[TableRow]) -> Iterator[str]:
    compared = _well_known([row for row in rows if "error" in row.changes])
    if not compared:
        return
    ends: list[tuple[str, Callable[..., TableRow]]] = [("lower", min), ("higher", max)]
    for direction, pick in ends:
        row = pick(compared, key=lambda row: row.changes["error"].difference.mean)
        mean = row.changes["error"].difference.mean
        if mean == 0 or (mean > 0) != (direction == "higher"):
            yield f"No row has a {direction} mean error than its reference."
            continue
        yield f"Farthest {'above' if mean > 0 else 'below'} its reference: {_described(row)}."


def _described(row: TableRow) -> str:
    change = row.changes["error"]
    interval = words.change_interval(row)
    chances = [f"95 % interval {interval}"] if interval else ["one seed, so no interval"]
    if change.paired.p_t is not None and change.p_holm is not None:
        chances += [f"p {_p(change.paired.p_t)}", f"after Holm's correction {_p(change.p_holm)}"]
    mean = words.points(change.difference.mean)
    return f"{row.row.label}, {mean} points of error ({', '.join(chances)}), at {cost([row])}"


def _p(p: float) -> str:
    text = words.p_value(p)
    return text if text.startswith("<") else f"= {text}"


def _counts(rows: Sequence[TableRow]) -> Iterator[str]:
    for name, title in (("error", "error"), ("nll", "NLL"), ("ece", "ECE")):
        judged = [row.changes[name] for row in rows if name in row.changes and row.changes[name].p_holm is not None]
        if judged:
            sure = [change for change in judged if change.p_holm is not None and change.p_holm <= SIGNIFICANCE]
            many = f"{len(judged)} comparison{'s' * (len(judged) > 1)}"
            after = f"; after Holm's correction for all of them, {_better_and_worse(sure)}" * (len(judged) > 1)
            yield f"Of {many} of {title}, {_better_and_worse(judged)} at 95 %{after}."


def _better_and_worse(changes: Sequence[Change]) -> str:
    counts = [sum(change.verdict == verdict for change in changes) for verdict in ("better", "worse")]
    return f"{counts[0]} better and {counts[1]} worse"


def _power(rows: Sequence[TableRow]) -> Iterator[str]:
    found = [row.changes["error"].paired for row in rows if "error" in row.changes]
    sizes = sorted(each.detectable for each in found if each.detectable is not None)
    seeds = sorted({each.difference.n for each in found if each.detectable is not None})
    if sizes:
        n = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        least, middle, most = (f"{size * 100:.2f}" for size in (sizes[0], sizes[len(sizes) // 2], sizes[-1]))
        by_row = f" to {most} points, depending on the row (the middle one {middle})" if least != most else " points"
        yield (
            f"{n} seeds with the spread that was met find a true difference with a probability of 80 % if it is at "
            f"least {least}{by_row}; smaller ones would often be missed."
        )
