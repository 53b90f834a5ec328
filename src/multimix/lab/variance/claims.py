"""What the paper proves, held against what was measured."""

from collections.abc import Sequence
from typing import Any

from multimix.lab.variance.designs import LARGE, MIXES

Json = dict[str, Any]


def verdict(ratio: Json) -> str:
    """Returns whether a ratio of variances is below 1: "below", "above" or "not distinguishable"."""
    if ratio["high"] is not None and ratio["high"] < 1:
        return "below"
    return "above" if ratio["low"] is not None and ratio["low"] > 1 else "not distinguishable"


def claims(moment: Json) -> list[str]:
    """Returns, a line each, where Propositions III.1 and III.2 of Shen et al. hold at a moment, and where not."""
    return [*_falls_with_k(moment["designs"]), *_below_large_batch(moment["designs"])]


def drawn(design: Json) -> str:
    """Returns how a design's coefficients and partners are drawn, in words."""
    whose = "one λ for the batch" if design["share"] == "batch" else "λ per pair"
    fresh = ", fresh partners" if design["partners"] == "fresh" else ""
    return f"{design['sampling']}, {whose}{fresh}"


def by_draw(designs: Sequence[Json], kind: str) -> dict[str, list[Json]]:
    """Returns the designs of a kind with K > 1, by how they are drawn, in training mode."""
    groups: dict[str, list[Json]] = {}
    for design in designs:
        if design["kind"] == kind and design["num_mixes"] > 1 and design["norm"] == "batch":
            groups.setdefault(drawn(design), []).append(design)
    return groups


def _falls_with_k(designs: Sequence[Json]) -> list[str]:
    lines = []
    for draw, group in by_draw(designs, MIXES).items():
        shown = ", ".join(f"{_short(d['to_one'])} at K = {d['num_mixes']}" for d in group)
        lines.append(f"III.1 ({draw}): {_summary([d['to_one'] for d in group])}; V / V(K = 1) = {shown}")
    return lines


def _below_large_batch(designs: Sequence[Json]) -> list[str]:
    lines = []
    for draw, group in by_draw(designs, LARGE).items():
        ratios = [design["mixes_to_large"] for design in group]
        shown = ", ".join(f"{_short(r)} at K = {d['num_mixes']}" for d, r in zip(group, ratios, strict=True))
        lines.append(f"III.2 ({draw}): {_summary(ratios)}; V(P pairs × K) / V(K P pairs) = {shown}")
    return lines


def _summary(ratios: Sequence[Json]) -> str:
    found = {verdict(ratio) for ratio in ratios}
    if found == {"below"}:
        return "holds"
    if found == {"above"}:
        return "does not hold"
    return "not distinguishable" if found == {"not distinguishable"} else "holds for some K only"


def _short(ratio: Json) -> str:
    mark = {"below": "▼", "above": "▲", "not distinguishable": "≈"}[verdict(ratio)]
    return f"{mark} {ratio['value']:.2f}" if ratio["value"] is not None else "?"
