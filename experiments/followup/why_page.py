"""Tables and picture of study M."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from experiments.followup.analysis import POINTS, Found, why_primary, why_secondary
from experiments.followup.plan import MAIN, SINGLE, SMALL
from experiments.followup.runs import SHARES
from experiments.followup.tables import percent, primary_table, secondary_table

COLOURS = {SINGLE: "C0", SMALL: "C1", MAIN: "C3"}


def why_tables(found: Found, picture: str) -> list[str]:
    """Return the page's lines after its head."""
    first, others = {"error": why_primary(found)}, {"error": why_secondary(found)}
    return [
        "Differences in test error, points, mean over the methods named, with 95 % t-intervals over seeds. Below zero",
        "the first has less error. Primary, Holm's correction over these four:",
        "",
        *primary_table(first, len(found.seeds)),
        "",
        "Secondary, without correction and without claims:",
        "",
        *secondary_table(others),  # type: ignore[arg-type]
        "",
        "Arms. Train: error on the clean training samples at the end.",
        "",
        *_arms(found),
        "",
        "Within a run: error on the clean training samples / on the test samples, %, after a share of the updates.",
        "",
        *_course_table(found),
        "",
        f"![Test and clean training error within a run, for K = 1, small batch and K = 5]({picture})",
    ]


def _arms(found: Found) -> list[str]:
    lines = [
        "| arm | rate | updates | rows | test error, % | train, % | NLL | ECE, % | note |",
        "|---|---:|---:|---:|---|---:|---:|---:|---|",
    ]
    for asked in found.plan.asked():
        arm = asked.arm
        choice = found.choices[arm.name]
        updates = choice.length * arm.updates
        rows = updates * found.plan.protocol.batch_size * arm.pairs * arm.num_mixes
        notes = ["rate at the end of the list" if choice.at_edge else ""]
        notes += ["longest length tried" if not choice.reached else ""]
        lines.append(
            f"| {arm.name} | {choice.rate:g} | {updates:,} | {rows:,.0f} | {percent(found.interval(arm.name))} | "
            f"{POINTS * _course(found, arm.name)[-1, 0]:.1f} | {found.of(arm.name, lambda run: run.nll).mean():.3f} | "
            f"{POINTS * found.of(arm.name, lambda run: run.ece).mean():.1f} | {', '.join(filter(None, notes))} |"
        )
    return lines


def _course(found: Found, arm: str) -> np.ndarray:
    """Return the mean course of an arm, (shares, 2)."""
    return np.mean([run.course for run in found.runs(arm)], axis=0)  # type: ignore[attr-defined,no-any-return]


def _course_table(found: Found) -> list[str]:
    heads = " | ".join("all" if share == 1 else str(Fraction(share)) for share in SHARES)
    lines = [f"| arm | {heads} |", "|---|" + "---:|" * len(SHARES)]
    for asked in found.plan.asked():
        if asked.arm.kind.split(", ")[0] in COLOURS:
            cells = [f"{POINTS * train:.1f} / {POINTS * test:.1f}" for train, test in _course(found, asked.arm.name)]
            lines.append(f"| {asked.arm.name} | {' | '.join(cells)} |")
    return lines


def draw_course(found: Found, file: Path) -> None:
    """Draw the errors within a run, one panel a method, below each other: for a narrow screen."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    methods = found.plan.norm_methods
    figure, axes = plt.subplots(len(methods), 1, figsize=(4.6, 3.4 * len(methods)), squeeze=False, layout="constrained")
    for axis, method in zip(axes[:, 0], methods, strict=True):
        for asked in found.plan.asked():
            if asked.arm.method == method and asked.arm.kind in COLOURS:
                _lines(axis, found, asked.arm)
        axis.set(title=method, xlabel="rows through the network, thousands", ylabel="error, %", ylim=(0, None))
        axis.grid(alpha=0.3)
    lines, labels = axes[0, 0].get_legend_handles_labels()
    # test errors in the left column, training errors in the right
    figure.legend(
        lines[::2] + lines[1::2], labels[::2] + labels[1::2], loc="outside lower center", ncols=2, frameon=False
    )
    figure.savefig(file, dpi=150, facecolor="white")
    plt.close(figure)


def _lines(axis: Any, found: Found, arm: Any) -> None:
    rows = found.choices[arm.name].length * arm.updates * found.plan.protocol.batch_size * arm.pairs * arm.num_mixes
    course = POINTS * _course(found, arm.name)
    x = np.array(SHARES) * rows / 1000
    axis.plot(x, course[:, 1], "o-", markersize=3, color=COLOURS[arm.kind], label=f"{arm.kind}, test")
    axis.plot(x, course[:, 0], "o--", markersize=3, color=COLOURS[arm.kind], label=f"{arm.kind}, train")
