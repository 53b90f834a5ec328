"""Tables of study Q."""

from experiments.followup.analysis import POINTS, Found, error, quality_primary, quality_secondary, value
from experiments.followup.plan import MAIN, SINGLE, SMALL
from experiments.followup.tables import percent, primary_table, secondary_table

PERCENT = {
    "ECE": "ece",
    "ECE, T": "ece_scaled",
    "corruptions": "error_corruption_all",
    "FGSM 8": "error_fgsm_8",
    "FGSM 4": "error_fgsm_4",
    "PGD 4": "error_pgd_4",
}
PLAIN = {"NLL": "nll", "NLL, T": "nll_scaled", "Brier": "brier", "Brier, T": "brier_scaled", "T": "temperature"}


def quality_tables(found: Found) -> list[str]:
    """Return the page's lines after its head."""
    first, others = quality_primary(found), quality_secondary(found)
    return [
        "Differences in points, mean over the methods named, with 95 % t-intervals over seeds. Below zero the first is",
        "better. Primary, Holm's correction over these eight:",
        "",
        *primary_table(first, len(found.seeds)),
        "",
        "Arms, in percent but NLL, Brier score and temperature. T: after the temperature that was fitted on validation",
        "samples. FGSM and PGD in 1/255.",
        "",
        *_arms(found),
        "",
        "Secondary, without correction and without claims. *Added*: error above that of the same model on clean",
        "samples.",
        "",
        *secondary_table(others),  # type: ignore[arg-type]
        "",
        "Error under each corruption, %, mean over severities and, where samples are mixed, over methods.",
        "",
        *_corruptions(found),
    ]


def _arms(found: Found) -> list[str]:
    lines = [f"| arm | error | {' | '.join([*PLAIN, *PERCENT])} |", "|---|---|" + "---:|" * len([*PLAIN, *PERCENT])]
    for asked in found.plan.asked():
        name = asked.arm.name
        cells = [f"{found.of(name, value(key)).mean():.3f}" for key in PLAIN.values()]
        cells += [f"{POINTS * found.of(name, value(key)).mean():.1f}" for key in PERCENT.values()]
        lines.append(f"| {name} | {percent(found.interval(name, error))} | {' | '.join(cells)} |")
    return lines


def _corruptions(found: Found) -> list[str]:
    (any_run, *_) = found.runs("none K=1")
    keys = [key for key in any_run.values if key.count("/") == 1 and key.startswith("corruption/")]  # type: ignore[attr-defined]
    mixed = {kind: [f"{method} {kind}" for method in found.plan.methods] for kind in (SINGLE, SMALL, MAIN)}
    columns = {"none K=1": ["none K=1"], "none small batch": ["none small batch"], **mixed}
    lines = [f"| corruption | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    for key in keys:
        means = [
            POINTS * sum(found.of(arm, value(key)).mean() for arm in arms) / len(arms) for arms in columns.values()
        ]
        lines.append(f"| {key.split('/')[1].replace('_', ' ')} | {' | '.join(f'{mean:.1f}' for mean in means)} |")
    return lines
