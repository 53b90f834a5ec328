"""How differences and intervals are written."""

from collections.abc import Sequence

from experiments.followup.analysis import POINTS, Contrast
from multimix.lab.statistics import Interval


def percent(interval: Interval) -> str:
    """Write a mean of fractions with its interval, in percent."""
    return f"{POINTS * interval.mean:.1f} [{POINTS * interval.low:.1f}, {POINTS * interval.high:.1f}]"


def points(each: Contrast) -> str:
    """Write a difference of fractions with its interval, in points."""
    return f"{POINTS * each.mean:+.1f} [{POINTS * each.low:+.1f}, {POINTS * each.high:+.1f}]"


def primary_table(groups: dict[str, list[Contrast]], seeds: int) -> list[str]:
    """Return the table of the primary contrasts, by the number that is compared."""
    lines = ["| number | difference | points | p | p, Holm | the first is |", "|---|---|---|---:|---:|---|"]
    for number, contrasts in groups.items():
        for each in contrasts:
            p = "" if each.p is None else f"{each.p:.2g}"
            lines.append(
                f"| {number} | {each.name} | {points(each)} | {p} | {each.p_holm:.2g} | {each.verdict(seeds)} |"
            )
    return lines


def secondary_table(groups: dict[str, Sequence[Contrast]]) -> list[str]:
    """Return the table of other differences."""
    lines = ["| number | difference | points |", "|---|---|---|"]
    return lines + [
        f"| {number} | {each.name} | {points(each)} |" for number, group in groups.items() for each in group
    ]
