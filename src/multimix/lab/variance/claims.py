"""What the paper proves, held against what was measured."""

from collections.abc import Sequence
from typing import Any

from multimix.lab.variance.designs import LARGE, MIXES

Json = dict[str, Any]
# Their names, the designs they are about, which ratio of variances must be below 1, and what that is.
PROPOSITIONS = (
    ("III.1", MIXES, "to_one", "V / V(K = 1)"),
    ("III.2", LARGE, "mixes_to_large", "V(P pairs × K) / V(K P pairs)"),
)


def verdict(ratio: Json) -> str:
    """Return whether a ratio of variances is below 1: "below", "above" or "not significant"."""
    if ratio["high"] is not None and ratio["high"] < 1:
        return "below"
    return "above" if ratio["low"] is not None and ratio["low"] > 1 else "not significant"


def claims(moment: Json) -> list[str]:
    """Return, a line each, where Propositions III.1 and III.2 of Shen et al. hold at a moment, and where not."""
    return [
        f"{name} ({draw}): {_summary(group, key)}; {what} = "
        + ", ".join(f"{_short(design[key])} at K = {design['num_mixes']}" for design in group)
        for name, kind, key, what in PROPOSITIONS
        for draw, group in by_draw(moment["designs"], kind).items()
    ]


def drawn(design: Json) -> str:
    """Return how a design's coefficients and partners are drawn, in words."""
    whose = "one λ for the batch" if design["share"] == "batch" else "λ per pair"
    fresh = ", fresh partners" if design["partners"] == "fresh" else ""
    return f"{design['sampling']}, {whose}{fresh}"


def by_draw(designs: Sequence[Json], kind: str) -> dict[str, list[Json]]:
    """Return the designs of a kind with K > 1, by how they are drawn, in training mode."""
    groups: dict[str, list[Json]] = {}
    for design in designs:
        if design["kind"] == kind and design["num_mixes"] > 1 and design["norm"] == "batch":
            groups.setdefault(drawn(design), []).append(design)
    return groups


def _summary(designs: Sequence[Json], key: str) -> str:
    found = {verdict(design[key]) for design in designs}
    alike = {"below": "holds", "above": "does not hold", "not significant": "not significant"}
    return alike[found.pop()] if len(found) == 1 else "holds for some K only"


def _short(ratio: Json) -> str:
    mark = {"below": "▼", "above": "▲", "not significant": "≈"}[verdict(ratio)]
    return f"{mark} {ratio['value']:.2f}" if ratio["value"] is not None else "?"
