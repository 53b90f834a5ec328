"""What a follow-up of study F runs: from a file, and from what study F chose."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from experiments.frontier.analysis import Findings
from experiments.frontier.choose import Choice
from experiments.frontier.protocol import MIXES, Arm, Protocol
from experiments.frontier.records import Records

EXPERIMENTS = Path(__file__).parents[1]
SINGLE, SMALL, MAIN, PAIRS = "K=1", "small batch", "K=5 same rows", "K=5 same pairs"
IID, SHARED, FRESH, REPEATS = "K=5 iid", "K=5 one lambda per batch", "K=5 fresh partners", "repeats"
GROUP = ", group norm"  # after the kind of an arm

SIZES: Mapping[str, Mapping[str, Any]] = {
    SINGLE: {},
    SMALL: {"pairs": 1 / MIXES, "updates": MIXES},
    MAIN: {"pairs": 1 / MIXES, "num_mixes": MIXES},
    PAIRS: {"num_mixes": MIXES},
}
VARIANTS: Mapping[str, Mapping[str, Any]] = {  # of K=5 same rows
    IID: {"options": {"sampling": "iid"}},
    SHARED: {"options": {"share": "batch"}},
    FRESH: {"options": {"partners": "fresh"}},
    REPEATS: {"fresh": True},
}


@dataclass(frozen=True)
class Asked:
    """An arm, and where its rate and length come from.

    Args:
        arm: How to train.
        chosen: Name of study F's arm whose choice it takes.
        tuned: Whether rate and length are chosen anew, around that arm's length.
    """

    arm: Arm
    chosen: str
    tuned: bool = False


@dataclass(frozen=True)
class Plan:
    """The file of one follow-up.

    Args:
        name: The file's name.
        question: "why" (study M) or "quality" (study Q).
        frontier: Name of study F's protocol, from which everything else comes.
        methods: Names of the mixing methods.
        first_seed: The first of its seeds.
        seeds: How many.
        norm_methods: Methods that are trained with group norm too.
    """

    name: str
    question: str
    frontier: str
    methods: tuple[str, ...]
    first_seed: int
    seeds: int
    norm_methods: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """Read a file.

        Raises:
            ValueError: if a setting is unknown, or the question is none.
        """
        given = yaml.safe_load(path.read_text())
        known = {item.name for item in fields(cls)} - {"name"}
        if unknown := set(given) - known:
            raise ValueError(f"settings of {path} must be among {sorted(known)}, got {sorted(unknown)}; remove them")
        if given["question"] not in ("why", "quality"):
            raise ValueError(f"question must be why or quality, got question={given['question']!r}; choose one")
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
        return cls(name=path.stem, **values)

    @cached_property
    def protocol(self) -> Protocol:
        """Sizes, model and rates of study F."""
        return Protocol.read(EXPERIMENTS / "frontier" / f"{self.frontier}.yaml")

    @cached_property
    def choices(self) -> dict[str, Choice]:
        """What study F chose for its arms, from its records."""
        return Findings(self.protocol, Records(EXPERIMENTS / "results" / f"frontier-{self.frontier}")).choices

    def seed_range(self) -> range:
        """Return the seeds, none of which study F used."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def asked(self) -> list[Asked]:
        """Return the arms in the order of the tables."""
        if self.question == "quality":
            return [_asked("none", kind) for kind in (SINGLE, SMALL)] + [
                _asked(method, kind) for method in self.methods for kind in SIZES
            ]
        found = []
        for method in ("none", *self.methods):
            sizes = _sizes_of(method) if method in ("none", *self.norm_methods) else [MAIN]
            found += [_asked(method, kind) for kind in sizes]
            if method != "none":
                found += [_variant(method, kind) for kind in VARIANTS]
            if method in ("none", *self.norm_methods):
                found += [_group_norm(method, kind) for kind in sizes]
        return found


def _sizes_of(method: str) -> list[str]:
    return [SINGLE, SMALL] if method == "none" else [SINGLE, SMALL, MAIN]


def _asked(method: str, kind: str) -> Asked:
    return Asked(Arm(method, kind, **SIZES[kind]), f"{method} {kind}")


def _variant(method: str, kind: str) -> Asked:
    return Asked(Arm(method, kind, **SIZES[MAIN], **VARIANTS[kind]), f"{method} {MAIN}")


def _group_norm(method: str, kind: str) -> Asked:
    arm = Arm(method, kind + GROUP, **SIZES[kind], model_options={"norm": "group"})
    return Asked(arm, f"{method} {kind}", tuned=True)
