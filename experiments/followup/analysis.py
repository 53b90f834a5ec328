"""From the records of a follow-up to differences with intervals: what README.md names, and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from experiments.followup.plan import FRESH, GROUP, IID, MAIN, PAIRS, REPEATS, SHARED, SINGLE, SMALL, Plan
from experiments.followup.runs import choices_of
from experiments.frontier.choose import Choice
from experiments.frontier.records import Record, Records
from multimix.lab.statistics import SIGNIFICANCE, Interval, holm, paired, t_interval

FEWEST_SEEDS = 5  # with fewer nothing is claimed
POINTS = 100

Number = Callable[[Record], float]


def error(record: Record) -> float:
    """Return the test error."""
    return record.error


@dataclass(frozen=True)
class Contrast:
    """One difference, the mean over methods within a seed.

    Args:
        name: What is compared.
        mean: Mean difference over seeds.
        low: Lower end of the 95 % t-interval.
        high: Upper end.
        p: Two-sided p-value of the t-test over seeds; None where nothing can be told.
        p_holm: The same after Holm's correction over the primary contrasts; None for others.
    """

    name: str
    mean: float
    low: float
    high: float
    p: float | None
    p_holm: float | None = None

    def verdict(self, seeds: int) -> str:
        """Return what is claimed of a primary contrast."""
        if seeds < FEWEST_SEEDS or self.p_holm is None:
            return "no claim"
        if self.p_holm > SIGNIFICANCE:
            return "not significant"
        return "lower" if self.mean < 0 else "higher"


def contrast(name: str, by_seed: np.ndarray) -> Contrast:
    """Test a difference over seeds."""
    found = paired(by_seed.tolist(), [0.0] * len(by_seed))
    return Contrast(name, found.difference.mean, found.difference.low, found.difference.high, found.p_t)


def primary(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Correct contrasts for there being several of them; without a p-value it counts as 1."""
    corrected = holm([1.0 if each.p is None else each.p for each in contrasts])
    return [
        Contrast(each.name, each.mean, each.low, each.high, each.p, p)
        for each, p in zip(contrasts, corrected, strict=True)
    ]


@dataclass(frozen=True)
class Found:
    """The finished runs of a follow-up. Seeds that are not finished are left out.

    Args:
        plan: What was asked.
        records: What was run.
    """

    plan: Plan
    records: Records

    @cached_property
    def choices(self) -> dict[str, Choice]:
        """What each arm trains with."""
        return choices_of(self.plan, self.records, self.plan.asked())

    @cached_property
    def final(self) -> dict[str, dict[int, Record]]:
        """The final runs: arm -> seed -> record."""
        return {
            arm: {
                run.seed: run
                for run in self.records.of(arm, self.plan.seed_range())
                if (run.rate, run.length) == (choice.rate, choice.length)
            }
            for arm, choice in self.choices.items()
        }

    @cached_property
    def seeds(self) -> list[int]:
        """The seeds with which every arm was run."""
        return [seed for seed in self.plan.seed_range() if all(seed in runs for runs in self.final.values())]

    def runs(self, arm: str) -> list[Record]:
        """Return the runs of an arm with the finished seeds."""
        return [self.final[arm][seed] for seed in self.seeds]

    def of(self, arm: str, number: Number = error) -> np.ndarray:
        """Return a number of an arm, (seeds,)."""
        return np.array([number(run) for run in self.runs(arm)])

    def interval(self, arm: str, number: Number = error) -> Interval:
        """Return the mean of a number with its t-interval."""
        return t_interval(self.of(arm, number).tolist())

    def minus(self, first: str, second: str, methods: Sequence[str], number: Number = error) -> np.ndarray:
        """Return one kind of arm minus another, the mean over methods within a seed, (seeds,)."""
        return np.mean(
            [self.of(f"{method} {first}", number) - self.of(f"{method} {second}", number) for method in methods], axis=0
        )

    def compare(self, first: str, second: str, methods: Sequence[str], number: Number = error) -> Contrast:
        """Compare two kinds of arms."""
        return contrast(f"{first} − {second}, {_names(methods)}", self.minus(first, second, methods, number))


def _names(methods: Sequence[str]) -> str:
    return ", ".join(methods)


def why_primary(found: Found) -> list[Contrast]:
    """Return the four primary contrasts of study M."""
    plan, batch = found.plan, found.minus(MAIN, SMALL, found.plan.norm_methods)
    group = found.minus(MAIN + GROUP, SMALL + GROUP, plan.norm_methods)
    name = f"({MAIN} − {SMALL}) with group norm − the same with batch norm, {_names(plan.norm_methods)}"
    return primary(
        [
            *(found.compare(kind, MAIN, plan.methods) for kind in (FRESH, IID, SHARED)),
            contrast(name, group - batch),
        ]
    )


def why_secondary(found: Found) -> list[Contrast]:
    """Return the other differences of study M."""
    plan = found.plan
    both = [
        found.compare(MAIN + norm, other + norm, plan.norm_methods) for other in (SMALL, SINGLE) for norm in ("", GROUP)
    ]
    single = found.minus(MAIN + GROUP, SINGLE + GROUP, plan.norm_methods) - found.minus(MAIN, SINGLE, plan.norm_methods)
    name = f"({MAIN} − {SINGLE}) with group norm − the same with batch norm, {_names(plan.norm_methods)}"
    return [
        *(found.compare(REPEATS, other, plan.methods) for other in (MAIN, FRESH)),
        *both,
        contrast(name, single),
        *(found.compare(SMALL + norm, SINGLE + norm, ["none"]) for norm in ("", GROUP)),
        *(found.compare(kind, MAIN, [method]) for method in plan.methods for kind in (FRESH, IID, SHARED, REPEATS)),
        *(found.compare(MAIN + norm, SMALL + norm, [method]) for method in plan.norm_methods for norm in ("", GROUP)),
    ]


def value(name: str) -> Number:
    """Return what gets a number of the evaluators."""
    return lambda record: record.values[name]  # type: ignore[attr-defined,no-any-return]


QUALITIES = {  # the numbers of study Q's primary contrasts
    "ECE after temperature": "ece_scaled",
    "error, 19 corruptions": "error_corruption_all",
    "error, FGSM 8/255": "error_fgsm_8",
    "error, PGD 4/255": "error_pgd_4",
}


def quality_primary(found: Found) -> dict[str, list[Contrast]]:
    """Return the eight primary contrasts of study Q, by their number."""
    each = [
        (title, found.compare(MAIN, other, found.plan.methods, value(name)))
        for title, name in QUALITIES.items()
        for other in (SINGLE, SMALL)
    ]
    corrected = primary([contrast for _, contrast in each])
    by_number: dict[str, list[Contrast]] = {}
    for (title, _), done in zip(each, corrected, strict=True):
        by_number.setdefault(title, []).append(done)
    return by_number


def added(name: str) -> Number:
    """Return what gets by how much an error is above that of the clean samples."""
    return lambda record: value(name)(record) - record.error


def quality_secondary(found: Found) -> dict[str, list[Contrast]]:
    """Return the other differences of study Q, by their number; those of errors and ECE come in fractions."""
    others: dict[str, Number] = {
        "error": error,
        "ECE": value("ece"),
        "added by 19 corruptions": added("error_corruption_all"),
        "added by FGSM 8/255": added("error_fgsm_8"),
        "added by PGD 4/255": added("error_pgd_4"),
        "error, FGSM 4/255": value("error_fgsm_4"),
    }
    methods = found.plan.methods
    pooled = {
        title: [found.compare(MAIN, other, methods, number) for other in (SINGLE, SMALL)]
        for title, number in others.items()
    }
    qualities = {title: value(name) for title, name in QUALITIES.items()}
    for title, number in qualities.items():
        pooled[title] = [
            found.compare(PAIRS, SINGLE, methods, number),
            *(found.compare(MAIN, other, [method], number) for method in methods for other in (SINGLE, SMALL)),
        ]
    return pooled
