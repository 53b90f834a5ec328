"""From records to differences with intervals: what README.md says will be compared, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from experiments.frontier.choose import Choice, best_length, choose, final_lengths, means
from experiments.frontier.protocol import FINAL_SEEDS, TUNING_SEEDS, Arm, Protocol
from experiments.frontier.records import Record, Records, wrong_of

DRAWS = 2000
LEVEL = 95  # of intervals, in percent

Errors = dict[str, dict[int, np.ndarray]]  # arm -> length -> (seeds,) errors


@dataclass(frozen=True)
class Difference:
    """One arm minus another, at the lengths chosen for them.

    Args:
        name: Of the arm.
        other: Of the arm that is subtracted.
        mean: Mean difference of the test error over seeds.
        low: Lower end of the bootstrap interval.
        high: Upper end.
        p: Two-sided p-value of the t-test over seeds; NaN with fewer than two.
    """

    name: str
    other: str
    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Findings:
    """What the finished runs of a study say. Seeds that are not finished are left out.

    Args:
        protocol: What was asked.
        records: What was run.
    """

    protocol: Protocol
    records: Records

    @cached_property
    def tuning(self) -> dict[str, list[Record]]:
        """The tuning runs by arm."""
        seeds = range(TUNING_SEEDS, TUNING_SEEDS + self.protocol.tuning_seeds)
        return {arm.name: self.records.of(arm.name, seeds) for arm in self.protocol.arms()}

    @cached_property
    def choices(self) -> dict[str, Choice]:
        """What each arm trains with."""
        found: dict[str, Choice] = {}
        for arm in self.protocol.arms():
            rates = [found[f"{arm.method} {arm.rate_of}"].rate] if arm.rate_of else self.protocol.rates
            found[arm.name] = choose(self.protocol, arm, self.tuning[arm.name], rates)
        return found

    @cached_property
    def final(self) -> dict[tuple[str, int], dict[int, Record]]:
        """The final runs: arm and length -> seed -> record."""
        found: dict[tuple[str, int], dict[int, Record]] = {}
        for arm, choice in self.choices.items():
            seeds = range(FINAL_SEEDS, FINAL_SEEDS + self.protocol.final_seeds)
            for record in self.records.of(arm, seeds):
                if record.rate == choice.rate:
                    found.setdefault((arm, record.length), {})[record.seed] = record
        return found

    @cached_property
    def seeds(self) -> list[int]:
        """The final seeds with which every arm was run at all its lengths."""
        wanted = [
            (arm, length) for arm, choice in self.choices.items() for length in final_lengths(self.protocol, choice)
        ]
        every = range(FINAL_SEEDS, FINAL_SEEDS + self.protocol.final_seeds)
        return [seed for seed in every if all(seed in self.final.get(key, {}) for key in wanted)]

    @cached_property
    def errors(self) -> Errors:
        """Test errors of the finished seeds."""
        found: Errors = {}
        for (arm, length), runs in self.final.items():
            if all(seed in runs for seed in self.seeds):
                found.setdefault(arm, {})[length] = np.array([runs[seed].error for seed in self.seeds])
        return found

    def at_best(self, arm: str, metric: str) -> np.ndarray:
        """Return a metric of an arm at its chosen length, (seeds,)."""
        runs = self.final[arm, self.choices[arm].length]
        return np.array([getattr(runs[seed], metric) for seed in self.seeds])

    @cached_property
    def clock(self) -> str:
        """What times of training are: of the processor, or of a GPU."""
        on_gpu = any(record.time_s is not None for runs in self.final.values() for record in runs.values())
        return "GPU time" if on_gpu else "processor time"

    def time_s(self, arm: str, length: int) -> float:
        """Return the median time of training at a length, by `clock`."""
        return float(np.median([self.final[arm, length][seed].cost_s for seed in self.seeds]))

    def frontier(self, arm: str) -> list[tuple[int, float, float]]:
        """Return (length, seconds, mean error) of the length chosen within each budget, ascending."""
        curve = means(self.tuning[arm], self.choices[arm].rate)
        lengths = sorted(
            {best_length(curve, budget) for budget in self.errors[arm] if budget <= self.choices[arm].length}
        )
        return [(length, self.time_s(arm, length), float(self.errors[arm][length].mean())) for length in lengths]

    def seconds_to(self, arm: str, error: float) -> float:
        """Return the time of the shortest run on the frontier with at most this error; infinite if there is none."""
        return min((time_s for _, time_s, reached in self.frontier(arm) if reached <= error), default=float("inf"))

    @cached_property
    def draws(self) -> dict[str, np.ndarray]:
        """Bootstrap draws of each arm's mean error, (draws,): the same seeds and test samples for all arms.

        In each draw the length is chosen anew from tuning seeds drawn with replacement.
        """
        rng = np.random.default_rng(0)
        tuned = self.protocol.tuning_seeds
        curves = {arm: self._tuning_curves(arm) for arm in self.errors}
        place = {key: i for i, key in enumerate((arm, length) for arm in self.errors for length in self.errors[arm])}
        wrong = self._wrong(list(place))
        found = {arm: np.empty(DRAWS) for arm in self.errors}
        for draw in range(DRAWS):
            chosen_seeds = rng.integers(tuned, size=tuned)
            total = np.zeros(len(place))
            for seed in rng.integers(len(self.seeds), size=len(self.seeds)):
                bits = wrong[seed]
                counts = np.bincount(rng.integers(bits.shape[1], size=bits.shape[1]), minlength=bits.shape[1])
                total += bits @ counts.astype(np.float32) / bits.shape[1]
            for arm, (lengths, curve) in curves.items():
                length = lengths[int(curve[:, chosen_seeds].mean(axis=1).argmin())]
                found[arm][draw] = total[place[arm, length]] / len(self.seeds)
        return found

    def _tuning_curves(self, arm: str) -> tuple[list[int], np.ndarray]:
        """Return the lengths of the final runs, and their (lengths, tuning seeds) validation errors."""
        rate = self.choices[arm].rate
        runs = {(run.length, run.seed): run.validation_error for run in self.tuning[arm] if run.rate == rate}
        lengths = [length for length in sorted(self.errors[arm]) if (length, TUNING_SEEDS) in runs]
        seeds = range(TUNING_SEEDS, TUNING_SEEDS + self.protocol.tuning_seeds)
        return lengths, np.array([[runs[length, seed] for seed in seeds] for length in lengths])

    def _wrong(self, keys: Sequence[tuple[str, int]]) -> list[np.ndarray]:
        """Return for each seed which test samples each run classified wrong, (runs, test samples)."""
        sizes = [self._num_test(seed) for seed in self.seeds]
        return [
            np.stack([wrong_of(self.final[key][seed], size) for key in keys]).astype(np.float32)
            for seed, size in zip(self.seeds, sizes, strict=True)
        ]

    def _num_test(self, seed: int) -> int:
        """Return how many test samples a seed had: the wrong ones of a run by their share."""
        runs = [runs[seed] for runs in self.final.values() if seed in runs]
        run = max(runs, key=lambda run: run.error)
        return round(int(wrong_of(run, 6 * len(run.wrong)).sum()) / run.error)

    def interval(self, values: np.ndarray) -> tuple[float, float]:
        """Return the percentile interval of bootstrap draws."""
        low, high = np.percentile(values, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
        return float(low), float(high)

    def difference(self, arm: str, other: str) -> Difference:
        """Compare two arms at their chosen lengths."""
        return self._difference(arm, other, [(arm, other)])

    def pooled(self, kind: str, others: Mapping[str, str]) -> Difference:
        """Compare a kind of arm with others, the mean over methods within a seed.

        Args:
            kind: Of the arm.
            others: Method -> name of the arm that is subtracted.
        """
        pairs = [(f"{method} {kind}", other) for method, other in others.items()]
        return self._difference(kind, " and ".join(dict.fromkeys(others.values())), pairs)

    def _difference(self, name: str, other: str, pairs: Sequence[tuple[str, str]]) -> Difference:
        by_seed = np.mean([self.at_best(a, "error") - self.at_best(b, "error") for a, b in pairs], axis=0)
        drawn = np.mean([self.draws[a] - self.draws[b] for a, b in pairs], axis=0)
        p = float(stats.ttest_1samp(by_seed, 0).pvalue) if len(by_seed) > 1 and by_seed.std() > 0 else float("nan")
        return Difference(name, other, float(by_seed.mean()), *self.interval(drawn), p)

    def better_none(self) -> str:
        """Return the arm without mixing that is better on validation data."""
        names = [arm.name for arm in self.protocol.arms() if arm.method == "none"]
        return min(names, key=lambda name: self.choices[name].error)

    def arms_of(self, method: str) -> list[Arm]:
        """Return the arms of a method."""
        return [arm for arm in self.protocol.arms() if arm.method == method]
