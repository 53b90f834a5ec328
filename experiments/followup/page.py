"""The page of a follow-up, from its records."""

from pathlib import Path

from experiments.followup.analysis import FEWEST_SEEDS, Found
from experiments.followup.plan import Plan
from experiments.followup.quality_page import quality_tables
from experiments.followup.runs import STUDIES
from experiments.followup.why_page import draw_course, why_tables
from experiments.frontier.records import Records
from multimix.lab.core.atomic_files import write_atomic


def write_page(plan: Plan, folder: Path) -> Path:
    """Write `<folder>.md`, for study M a `.png` too, beside the folder of the records; return the page.

    Raises:
        ValueError: if no seed is finished.
    """
    found = Found(plan, Records(folder, STUDIES[plan.question].kind))
    if not found.seeds:
        raise ValueError(f"a seed must have all arms finished, got none in {folder}; run the study first")
    page = folder.parent / f"{folder.name}.md"
    if plan.question == "why":
        picture = page.with_suffix(".png")
        lines = why_tables(found, picture.name)
        draw_course(found, picture)
    else:
        lines = quality_tables(found)
    write_atomic(page, "\n".join([*_head(found), *lines, ""]))
    return page


def _head(found: Found) -> list[str]:
    plan, protocol = found.plan, found.plan.protocol
    runs = found.records.all.values()
    hours = sum(run.cost_s for run in runs) / 3600
    few = "" if len(found.seeds) >= FEWEST_SEEDS else f" Fewer than {FEWEST_SEEDS} seeds: nothing is claimed."
    title = (
        "Study M: pairs, batch norm, or length?" if plan.question == "why" else "Study Q: calibration and robustness."
    )
    return [
        f"# {title} {protocol.data.capitalize()}, {protocol.labels_per_class} labels per class",
        "",
        f"`python -m experiments.followup report experiments/followup/{plan.name}.yaml` printed this page; what is "
        f"compared, and what follows from what: [the protocol](../followup/README.md). {protocol.model}, B = "
        f"{protocol.batch_size} rows, {len(found.seeds)} of {plan.seeds} seeds finished, {hours:.2f} core-hours of "
        f"training, commit {', '.join(sorted({run.commit for run in runs}))}.{few}",
        "",
    ]
