"""Who goes on, and who has won: successive halving over complete runs. Pure functions of what was measured.

In the first rung every candidate does one run of the first length and one of twice that. In each further rung the
better half does runs of twice the longest length, with one more paired seed, and its best length so far gets that seed
too; so lengths and candidates are compared on the same seeds. Whoever gained so much by the last doubling that the like
of it would make it the best goes on too: mixing and K > 1 begin slowly, and lead late. The best candidate without
mixing always goes on: the others are compared with it.

References:
    Jamieson and Talwalkar, 2016, Non-stochastic best arm identification and hyperparameter optimization; here a longer
    run is a new run with a schedule of its own, never the same one continued.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from statistics import mean

from multimix.lab.statistics import paired_difference, verdict

Key = tuple[str, int, int]  # candidate, length, seed
SEEDS_PLANNED = 3  # where the budget says how long the shortest runs are; with fewer hardly any difference is clear
SETTLED = 4  # a length is the best if runs this many times as long, and all between, were no better


@dataclass(frozen=True)
class Measured:
    """What came out of one run.

    Args:
        error: On held-out samples.
        time_s: All that it took, on the clock.
    """

    error: float
    time_s: float


@dataclass(frozen=True)
class Rung:
    """What is done next.

    Args:
        contenders: Who is still in the race, the best first.
        seeds: Paired seeds that they are compared on.
        runs: What is to be done for that, seed by seed.
    """

    contenders: tuple[str, ...]
    seeds: int
    runs: tuple[Key, ...]


@dataclass(frozen=True)
class Standing:
    """A candidate at the best of the lengths that it was run at.

    Args:
        name: Of the candidate.
        length: The best.
        longest: The longest that was tried.
        errors: Seed by seed.
        time_s: Mean time of its runs.
    """

    name: str
    length: int
    longest: int
    errors: tuple[float, ...]
    time_s: float

    @property
    def rank(self) -> tuple[float, float, int, str]:
        """What it is sorted by: the mean error; where it is the same, the cheaper is the better."""
        return mean(self.errors), self.time_s, self.length, self.name

    @property
    def reached(self) -> bool:
        """Whether longer runs were tried and were no better."""
        return self.length < self.longest


@dataclass(frozen=True)
class Decision:
    """What is recommended, and why.

    The lowest mean error is recommended, significant or not: keeping to no mixing until a difference to it is
    significant had up to nine points more test error where it was tried (experiments/choose_regret.py).

    Args:
        best: What to train with: the lowest mean error.
        alike: Those whose error is not significantly higher, `best` among them, the cheapest first.
        plain: The best without mixing; None if it has no result.
        ranked: All that were compared on the same seeds, the best first.
    """

    best: Standing
    alike: tuple[Standing, ...]
    plain: Standing | None
    ranked: tuple[Standing, ...]


@dataclass(frozen=True)
class Race:
    """The rule.

    Args:
        candidates: Names, in the order of their first runs.
        plain: Those of them that do not mix.
        first: Length of the first rung.
        most_seeds: The most paired seeds.
        jobs: Runs at a time.
    """

    candidates: tuple[str, ...]
    plain: Set[str]
    first: int
    most_seeds: int
    jobs: int = 1

    def opening(self) -> Rung:
        """Return the first rung: two lengths, so that what each candidate gains by a doubling is known."""
        lengths = self.first, 2 * self.first
        return Rung(self.candidates, 1, tuple((name, length, 0) for length in lengths for name in self.candidates))

    def following(self, done: Mapping[Key, Measured], rung: Rung, left_s: float) -> Rung | None:
        """Return the rung after one whose runs are done; None if there is nothing more to find out, or no time for it.

        Where time is short the worst of them are left out; two at least go on, one of them without mixing.
        """
        ranked = ranking(done, rung.contenders, rung.seeds)
        going_on = self._better_half(ranked)
        going_on += [each for each in ranked if each not in going_on and _may_lead(done, each, ranked[0], rung.seeds)]
        needed = self._needed(going_on)
        seeds = min(rung.seeds + 1, self.most_seeds)
        while len(going_on) > 1:
            runs = _missing(done, going_on, seeds)
            if not runs:
                return None
            if self.time_s(done, runs) <= left_s:
                return Rung(tuple(standing.name for standing in going_on), seeds, runs)
            dispensable = [standing for standing in going_on if standing not in needed]
            if not dispensable:
                return None
            going_on.remove(dispensable[-1])
        return None

    def time_s(self, done: Mapping[Key, Measured], runs: Sequence[Key]) -> float:
        """Return how long runs will take on the clock, as those tell that are done."""
        times = [predicted_s(done, name, length) for name, length, _ in runs]
        return max(sum(times) / self.jobs, max(times, default=0.0))

    def decide(self, done: Mapping[Key, Measured], rung: Rung) -> Decision:
        """Return what to train with, by a rung whose runs are done; by those of its runs that are, if it is the first.

        Raises:
            ValueError: if no candidate has a result.
        """
        ranked = ranking(done, rung.contenders, rung.seeds)
        best = ranked[0]
        alike = [  # with one seed all of them
            each for each in ranked if verdict(paired_difference(each.errors, best.errors)) == "not significant"
        ]
        alike.sort(key=lambda standing: (standing.time_s, *standing.rank))
        plain = next((standing for standing in ranked if standing.name in self.plain), None)
        return Decision(best, tuple(alike), plain, tuple(ranked))

    def _better_half(self, ranked: Sequence[Standing]) -> list[Standing]:
        kept = list(ranked[: max(2, len(ranked) // 2)])
        return kept + [standing for standing in self._needed(ranked) if standing not in kept]

    def _needed(self, ranked: Sequence[Standing]) -> list[Standing]:
        """Return the best and the best without mixing; if they are one, the best and the second."""
        plain = [standing for standing in ranked if standing.name in self.plain]
        return list(dict.fromkeys([*ranked[:1], *plain[:1], *ranked[1:2]]))[:2]


def ranking(done: Mapping[Key, Measured], names: Iterable[str], seeds: int) -> list[Standing]:
    """Return how candidates stand on the first seeds, the best first; those that lack a seed are left out."""
    found = (_standing(done, name, seeds) for name in names)
    return sorted((standing for standing in found if standing is not None), key=lambda standing: standing.rank)


def predicted_s(done: Mapping[Key, Measured], name: str, length: int) -> float:
    """Return the time of a run: as its like took; else in proportion to its own; else as long as the slowest other."""
    own: dict[int, list[float]] = {}
    others: list[float] = []
    for (other, its_length, _), measured in done.items():
        if other == name:
            own.setdefault(its_length, []).append(measured.time_s)
        others.append(measured.time_s * length / its_length)
    if length in own:
        return mean(own[length])
    if own:
        nearest = max(own, key=lambda tried: (tried <= length, tried if tried <= length else -tried))
        return mean(own[nearest]) * length / nearest
    return max(others, default=0.0)


def first_length(num_candidates: int, most_seeds: int, time_s: float, start_s: float, step_s: float) -> float:
    """Return the length with which the halving of candidates, down to the last with three seeds, takes a time.

    Args:
        num_candidates: How many there are.
        most_seeds: The most paired seeds.
        time_s: The time.
        start_s: What a run takes beside its steps.
        step_s: What a step takes.
    """
    left, seeds, length = num_candidates, 1, 2.0
    runs, units = 2 * num_candidates, 3 * num_candidates
    while left > 3 or seeds < min(SEEDS_PLANNED, most_seeds):
        left, seeds, length = max(2, left // 2) + 1, min(seeds + 1, most_seeds), 2 * length
        runs += left * (seeds + 1)
        units += math.ceil(left * (seeds + 0.5) * length)
    return (time_s - runs * start_s) / (units * step_s)


def _may_lead(done: Mapping[Key, Measured], standing: Standing, best: Standing, seeds: int) -> bool:
    """Whether it would be the best if the next doubling of its length lowered its error as much as the last one did."""
    if standing.reached:
        return False
    before = [done.get((standing.name, standing.length // 2, seed)) for seed in range(seeds)]
    errors = [run.error for run in before if run is not None]
    return bool(errors) and 2 * mean(standing.errors) - mean(errors) < mean(best.errors)


def _standing(done: Mapping[Key, Measured], name: str, seeds: int) -> Standing | None:
    lengths = sorted({length for other, length, _ in done if other == name})
    whole = [length for length in lengths if all((name, length, seed) in done for seed in range(seeds))]
    if not whole:
        return None

    def at(length: int) -> Standing:
        runs = [done[name, length, seed] for seed in range(seeds)]
        errors, times = tuple(run.error for run in runs), [run.time_s for run in runs]
        return Standing(name, length, whole[-1], errors, mean(times))

    return min((at(length) for length in whole), key=lambda standing: standing.rank)


def _missing(done: Mapping[Key, Measured], standings: Sequence[Standing], seeds: int) -> tuple[Key, ...]:
    """Return the runs that a rung of some candidates needs: the best length of each, and twice the longest."""
    wanted = []
    for standing in standings:
        wanted.append((standing.name, standing.length))
        if standing.longest < SETTLED * standing.length:
            wanted.append((standing.name, 2 * standing.longest))
    runs = [(name, length, seed) for seed in range(seeds) for name, length in wanted]
    return tuple(run for run in runs if run not in done)
