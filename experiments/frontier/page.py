"""The tables and the picture of a study, from its records."""

from dataclasses import asdict
from pathlib import Path

from experiments.frontier.analysis import Difference, Findings
from experiments.frontier.protocol import Protocol
from experiments.frontier.records import Records
from multimix.lab.core.atomic_files import write_atomic, write_json
from multimix.lab.statistics import FEWEST_SEEDS, t_interval

MAIN, SINGLE, SMALL = "K=5 same rows", "K=1", "small batch"
LOCALIZATION = {
    "localization_error": "wrong class or box",
    "localization_error_known_class": "wrong box of the true class",
    "localization_iou": "overlap of boxes (higher is better)",
}


def write_page(protocol: Protocol, folder: Path) -> Path:
    """Write `<folder>.md`, `.json` and `.png` beside the folder of the records, and return the page's path.

    Raises:
        SystemExit: if no final seed is finished.
    """
    found = Findings(protocol, Records(folder))
    if not found.seeds:
        raise SystemExit(f"a final seed must have all arms finished, got none in {folder}; run the study on")
    page = folder.parent / f"{folder.name}.md"
    picture = folder.parent / f"{folder.name}.png"
    _draw(found, picture)
    differences = _differences(found)
    write_atomic(
        page,
        "\n".join(
            [*_head(found, picture.name), *_arms(found), "", *_compared(found, differences), *_localized(found), ""]
        ),
    )
    choices = {arm: asdict(choice) for arm, choice in found.choices.items()}
    write_json(
        folder.parent / f"{folder.name}.json",
        {
            "protocol": asdict(protocol),
            "seeds": found.seeds,
            "commits": sorted({record.commit for record in found.records.all.values()}),
            "choices": choices,
            "errors": {arm: float(found.at_best(arm, "error").mean()) for arm in found.errors},
            "frontiers": {arm: found.frontier(arm) for arm in found.errors},
            "seconds_to_equal_error": _times(found),
            "differences": {title: asdict(each) for title, each in differences.items()},
        },
    )
    print(page)
    return page


def _head(found: Findings, picture: str) -> list[str]:
    protocol, seeds = found.protocol, len(found.seeds)
    commits = ", ".join(sorted({record.commit for record in found.records.all.values()}))
    records = found.records.all.values()
    spent = {
        "core-hours": [record.cost_s for record in records if record.time_s is None],
        "hours on a GPU": [record.cost_s for record in records if record.time_s is not None],
    }
    hours = " and ".join(f"{sum(seconds) / 3600:.2f} {unit}" for unit, seconds in spent.items() if seconds)
    few = "" if seeds >= FEWEST_SEEDS else f" Fewer than {FEWEST_SEEDS} seeds: nothing is claimed."
    return [
        f"# Study F on {protocol.data}, {protocol.labels_per_class} labels per class",
        "",
        f"`python -m experiments.frontier report experiments/frontier/{protocol.name}.yaml` printed this page; what is "
        f"compared and why: [the protocol](../frontier/README.md). {protocol.model}, B = {protocol.batch_size} rows, "
        f"{protocol.tuning_seeds} tuning seeds, {seeds} of {protocol.final_seeds} final seeds finished, "
        f"{hours} of training, commit {commits}.{few}",
        "",
        f"![Test error against {found.clock} of training]({picture})",
        "",
    ]


def _arms(found: Findings) -> list[str]:
    lines = [
        "| arm | rate | updates | rows | error, % | NLL | ECE, % | training, s | note |",
        "|---|---:|---:|---:|---|---:|---:|---:|---|",
    ]
    for arm in found.protocol.arms():
        choice = found.choices[arm.name]
        low, high = found.interval(found.draws[arm.name])
        mean = {metric: found.at_best(arm.name, metric).mean() for metric in ("error", "nll", "ece")}
        updates = choice.length * arm.updates
        rows = updates * found.protocol.batch_size * arm.pairs * arm.num_mixes
        notes = ["" if choice.reached else "not reached", "rate at the end of the list" if choice.at_edge else ""]
        lines.append(
            f"| {arm.name} | {choice.rate:g} | {updates:,} | {rows:,.0f} | {100 * mean['error']:.1f} "
            f"[{100 * low:.1f}, {100 * high:.1f}] | {mean['nll']:.3f} | {100 * mean['ece']:.1f} | "
            f"{found.time_s(arm.name, choice.length):.1f} | {', '.join(note for note in notes if note)} |"
        )
    return lines


def _differences(found: Findings) -> dict[str, Difference]:
    methods, none = found.protocol.methods, found.better_none()
    differences = {
        "A, pooled": found.pooled(MAIN, {method: f"{method} {SINGLE}" for method in methods}),
        "B, pooled": found.pooled(MAIN, {method: f"{method} {SMALL}" for method in methods}),
    }
    for method in methods:
        arms = [arm.name for arm in found.arms_of(method)]
        main = f"{method} {MAIN}"
        differences[f"A, {method}"] = found.difference(main, f"{method} {SINGLE}")
        differences[f"B, {method}"] = found.difference(main, f"{method} {SMALL}")
        differences[f"against no mixing, {method}"] = found.difference(main, none)
        for arm in arms:
            kind = arm.removeprefix(f"{method} ")
            if kind not in (MAIN, SINGLE, SMALL):
                differences[f"secondary, {arm}"] = found.difference(arm, f"{method} {SINGLE}")
    return differences


def _compared(found: Findings, differences: dict[str, Difference]) -> list[str]:
    lines = [
        "Points of error, the first minus the second, at the rates and lengths of the table. Below zero the first is",
        "better. p: t-test over seeds, before Holm's correction over the pooled A and B of all data sets.",
        "",
        "| contrast | first | second | points | p |",
        "|---|---|---|---|---:|",
    ]
    for title, each in differences.items():
        p = f"{each.p:.2g}" if "pooled" in title else ""
        lines.append(
            f"| {title} | {each.name} | {each.other} | {100 * each.mean:+.1f} [{100 * each.low:+.1f}, "
            f"{100 * each.high:+.1f}] | {p} |"
        )
    if found.protocol.lengths > 1:  # of one length nothing says when its error was reached
        lines += [
            "",
            f"Seconds of {found.clock} until the frontier reaches the error that the worse of the two reaches at best:",
            "",
            "| method | error, % | small batch | K=5 same rows | small batch / K=5 |",
            "|---|---:|---:|---:|---:|",
        ]
        for method, each in _times(found).items():
            small, main = each[SMALL], each[MAIN]
            lines.append(f"| {method} | {100 * each['error']:.1f} | {small:.1f} | {main:.1f} | {small / main:.1f} |")
    return lines


def _times(found: Findings) -> dict[str, dict[str, float]]:
    """Return for each method the error that both arms reach, and the processor seconds of each until then."""
    times = {}
    for method in found.protocol.methods:
        arms = {kind: f"{method} {kind}" for kind in (SMALL, MAIN)}
        error = max(min(reached for _, _, reached in found.frontier(arm)) for arm in arms.values())
        times[method] = {"error": error, **{kind: found.seconds_to(arm, error) for kind, arm in arms.items()}}
    return times


def _localized(found: Findings) -> list[str]:
    """Return the table of what final models say of where the object is, if they were asked."""
    if not found.protocol.localization:
        return []
    lines = [
        "",
        "Where is the object? By class activation maps, % of test samples; t-intervals over seeds, no claims.",
        "",
        f"| arm | {' | '.join(LOCALIZATION.values())} |",
        "|---|" + "---|" * len(LOCALIZATION),
    ]
    for arm in found.protocol.arms():
        runs = found.final[arm.name, found.choices[arm.name].length]
        cells = []
        for name in LOCALIZATION:
            mean = t_interval([100 * (runs[seed].values or {})[name] for seed in found.seeds])
            cells.append(f"{mean.mean:.1f} [{mean.low:.1f}, {mean.high:.1f}]")
        lines.append(f"| {arm.name} | {' | '.join(cells)} |")
    return lines


def _draw(found: Findings, file: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    from matplotlib import ticker

    methods = found.protocol.methods
    kinds = {"K=1": "C0", "small batch": "C1", "K=5 same rows": "C3", "K=5 same pairs": "C4"}
    figure, axes = plt.subplots(
        1, len(methods), figsize=(4.2 * len(methods), 3.9), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, method in zip(axes[0], methods, strict=True):
        for arm in found.arms_of("none"):
            _line(axis, found, arm.name, arm.name, "0.55", "--" if arm.kind == "small batch" else "-")
        for arm in found.arms_of(method):
            if arm.kind in kinds:
                _line(axis, found, arm.name, arm.kind, kinds[arm.kind], "-")
        axis.set(xscale="log", yscale="log", title=method, xlabel=f"training, s of {found.clock}")
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_locator(ticker.LogLocator(subs=(1, 2, 3, 5), numticks=12))
            scale.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
            scale.set_minor_locator(ticker.NullLocator())
        axis.tick_params(labelleft=True)
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("test error, %")
    figure.legend(
        *axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2 * len(methods), frameon=False
    )
    figure.savefig(file, dpi=130, facecolor="white")
    plt.close(figure)


def _line(axis: object, found: Findings, arm: str, label: str, colour: str, style: str) -> None:
    points = found.frontier(arm)
    times, errors = [time_s for _, time_s, _ in points], [100 * error for _, _, error in points]
    axis.plot(times, errors, style, marker="o" if style == "-" else "s", markersize=3, color=colour, label=label)  # type: ignore[attr-defined]
