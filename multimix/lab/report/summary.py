"""What wins, by how much, how sure, at what cost: sentences, every word of which follows from the table."""

from collections.abc import Callable, Iterator, Sequence

from multimix.lab.report import words
from multimix.lab.report.table import TableRow
from multimix.lab.report.takeaway import takeaway


def summary(rows: Sequence[TableRow]) -> list[str]:
    """Returns the sentences for one data set; what speaks against K > 1 stands beside what speaks for it."""
    return [takeaway(rows), *_lowest(rows), *_extremes(rows), *_counts(rows), *_power(rows)]


def _lowest(rows: Sequence[TableRow]) -> Iterator[str]:
    done = [row for row in rows if "error" in row.metrics]
    if len(done) > 1:
        best = min(done, key=lambda row: row.metrics["error"].mean)
        time = f", at {best.time_ratio:.2f} × the training time of {rows[0].row.label}" if best.time_ratio else ""
        yield (
            f"Lowest mean error of {len(done)} rows: {best.row.label}, "
            f"{words.with_interval(best.metrics['error'], 100)} %{time}. "
            f"Being the lowest of many is in part luck: its own comparison below says how sure it is."
        )


def _extremes(rows: Sequence[TableRow]) -> Iterator[str]:
    compared = [row for row in rows if "error" in row.changes]
    if not compared:
        return
    ends: list[tuple[str, Callable[..., TableRow]]] = [("lower", min), ("higher", max)]
    for direction, pick in ends:
        row = pick(compared, key=lambda row: row.changes["error"].difference.mean)
        mean = row.changes["error"].difference.mean
        if mean == 0 or (mean > 0) != (direction == "higher"):
            yield f"No row has a {direction} error than its reference."
            continue
        yield f"Farthest {'above' if mean > 0 else 'below'} its reference: {_described(row)}."


def _described(row: TableRow) -> str:
    change = row.changes["error"]
    interval = words.change_interval(row)
    chances = [f"95 % interval {interval}"] if interval else ["one seed, so no interval"]
    if change.paired.p_t is not None and change.p_holm is not None:
        chances += [f"p {_p(change.paired.p_t)}", f"after Holm's correction {_p(change.p_holm)}"]
    cost = "" if row.time_ratio_reference is None else f", at {row.time_ratio_reference:.1f} × its training time"
    return f"{row.row.label}, {words.points(change.difference.mean)} points of error ({', '.join(chances)}){cost}"


def _p(p: float) -> str:
    text = words.p_value(p)
    return text if text.startswith("<") else f"= {text}"


def _counts(rows: Sequence[TableRow]) -> Iterator[str]:
    changes = [row.changes["error"] for row in rows if "error" in row.changes]
    judged = [change for change in changes if change.p_holm is not None]
    if not judged:
        return
    better, worse = (sum(change.verdict == verdict for change in judged) for verdict in ("better", "worse"))
    sure = [change for change in judged if change.p_holm is not None and change.p_holm <= 0.05]
    sure_better = sum(change.difference.mean < 0 for change in sure)
    yield (
        f"Of {len(judged)} comparisons of error, {better} are better and {worse} worse at 95 %; after Holm's "
        f"correction for all of them, {sure_better} better and {len(sure) - sure_better} worse."
    )


def _power(rows: Sequence[TableRow]) -> Iterator[str]:
    found = [row.changes["error"].paired for row in rows if "error" in row.changes]
    sizes = sorted(each.detectable for each in found if each.detectable is not None)
    seeds = sorted({each.difference.n for each in found if each.detectable is not None})
    if sizes:
        n = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        middle = sizes[len(sizes) // 2]
        yield (
            f"{n} seeds with the spread that was met find a true difference with a probability of 80 % if it is at "
            f"least {sizes[0] * 100:.2f} to {sizes[-1] * 100:.2f} points, depending on the row (the middle one "
            f"{middle * 100:.2f}); smaller ones would often be missed."
        )
