"""What wins, by how much, how sure, at what cost: sentences, every word of which follows from the table."""

from collections.abc import Iterator, Sequence

from multimix.lab.report import words
from multimix.lab.report.table import Change, TableRow, changes_of
from multimix.lab.report.takeaway import advice, findings, findings_of_variants, question, takeaway
from multimix.lab.train.method_schedule import NONE

SIGNIFICANCE = 0.05


def summary(rows: Sequence[TableRow]) -> list[str]:
    """Return the sentences for one data set; what speaks against K > 1 stands beside what speaks for it."""
    return [*_answers(rows), *lowest(rows), *_counts(rows), *_power(rows)]


def _answers(rows: Sequence[TableRow]) -> Iterator[str]:
    """Yield the sentence that a terminal prints, in its parts."""
    compared = [row for row in rows if "error" in row.changes]
    plain, varied = ([row for row in compared if bool(row.row.variant) == kind] for kind in (False, True))
    if not compared:
        yield takeaway(rows)
    if plain:
        yield f"{question(plain)} {advice(plain)}."
    found = [*findings(plain), *(f"variant {finding}" for finding in findings_of_variants(varied))]
    if found:
        text = "; ".join(found)
        yield f"{text[:1].upper()}{text[1:]}."


def _well_known(rows: Sequence[TableRow]) -> list[TableRow]:
    """Return the rows with the most seeds: a row with fewer is extreme more easily."""
    most = max((len(row.results) for row in rows), default=0)
    return [row for row in rows if len(row.results) == most]


def lowest(rows: Sequence[TableRow]) -> Iterator[str]:
    """Yield which row has the least error, and whether it is better than no mixing."""
    done = _well_known([row for row in rows if "error" in row.metrics])
    if len(done) > 1:
        best = _best(done)
        runs = len(best.results)
        yield (
            f"Lowest mean error of the {len(done)} rows with {runs} seed{'s' * (runs != 1)}: {best.row.label}, "
            f"{words.with_interval(best.metrics['error'], 100)} %{_against_no_mixing(best, done)}. Being the lowest of "
            f"many is in part luck."
        )


def _against_no_mixing(best: TableRow, done: Sequence[TableRow]) -> str:
    plain = [row for row in done if row.row.method == NONE]
    if not plain or best in plain:
        return ", without mixing" if plain else ""
    without = _best(plain)
    change = changes_of(best.results, without.results).get("error")
    if change is None:  # no seed in common
        return ""
    return (
        f"; without mixing at best {words.with_interval(without.metrics['error'], 100)} % ({without.row.label}): "
        f"{words.points(change.difference.mean)} points, {change.verdict}"
    )


def _best(rows: Sequence[TableRow]) -> TableRow:
    return min(rows, key=lambda row: row.metrics["error"].mean)


def _counts(rows: Sequence[TableRow]) -> Iterator[str]:
    judged = [row.changes["error"] for row in rows if "error" in row.changes]
    judged = [change for change in judged if change.p_holm is not None]
    if len(judged) > 1:
        sure = [change for change in judged if change.p_holm is not None and change.p_holm <= SIGNIFICANCE]
        yield (
            f"Of {len(judged)} comparisons of error, {_better_and_worse(judged)} at 95 %; after Holm's correction for "
            f"all of them, {_better_and_worse(sure)}."
        )


def _better_and_worse(changes: Sequence[Change]) -> str:
    counts = [sum(change.verdict == verdict for change in changes) for verdict in ("better", "worse")]
    return f"{counts[0]} better and {counts[1]} worse"


def _power(rows: Sequence[TableRow]) -> Iterator[str]:
    found = [row.changes["error"].paired for row in rows if "error" in row.changes]
    sizes = sorted(each.detectable for each in found if each.detectable is not None)
    seeds = sorted({each.difference.n for each in found if each.detectable is not None})
    if sizes:
        n = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        ends = dict.fromkeys(f"{size * 100:.2f}" for size in (sizes[0], sizes[-1]))
        by_row = " (depending on the row)" * (len(ends) > 1)
        yield (
            f"With {n} seeds, a true difference is found with a probability of 80 % from {' to '.join(ends)} points "
            f"on{by_row}; smaller ones are often missed."
        )
