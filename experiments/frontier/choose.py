"""Which rate and which length an arm takes: chosen on validation samples, with seeds of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from experiments.frontier.protocol import SHORT, Arm, Protocol
from experiments.frontier.records import Record

Means = Mapping[int, float]  # length -> mean validation error


@dataclass(frozen=True)
class Choice:
    """What an arm trains with.

    Args:
        rate: Learning rate.
        length: Updates of the arm with K = 1 at the same rows.
        error: Mean validation error over the tuning seeds.
        reached: Whether longer runs were tried and were no better.
        at_edge: Whether the rate is the highest or the lowest of those tried.
    """

    rate: float
    length: int
    error: float
    reached: bool
    at_edge: bool


def means(records: Sequence[Record], rate: float) -> dict[int, float]:
    """Return the mean validation error by length at one rate."""
    errors: dict[int, list[float]] = {}
    for record in records:
        if record.rate == rate:
            errors.setdefault(record.length, []).append(record.validation_error)
    return {length: mean(values) for length, values in sorted(errors.items())}


def is_done(so_far: Means, lengths: Sequence[int]) -> bool:
    """Whether longer runs need not be tried: two lengths in a row were no better than the best before them."""
    if len(so_far) == len(lengths):
        return True
    if len(so_far) < SHORT:
        return False
    errors = [so_far[length] for length in sorted(so_far)]
    return min(errors[-2:]) >= min(errors[:-2])


def best_length(errors: Means, budget: int | None = None) -> int:
    """Return the length with the least error, the shorter one if two are equal, among those within a budget."""
    within = [length for length in errors if budget is None or length <= budget]
    return min(within, key=lambda length: (errors[length], length))


def final_lengths(protocol: Protocol, choice: Choice) -> list[int]:
    """Return the lengths of an arm's final runs: up to one beyond the chosen one."""
    return [length for length in protocol.all_lengths() if length <= 2 * choice.length]


def choose(protocol: Protocol, arm: Arm, records: Sequence[Record], rates: Sequence[float]) -> Choice:
    """Choose an arm's rate and length from its tuning runs, all at once: the pair with the least mean error."""
    curves = {rate: means(records, rate) for rate in rates}
    rate = min(rates, key=lambda rate: (min(curves[rate].values()), rate))
    curve = curves[rate]
    length = best_length(curve)
    tuned = sorted(protocol.rates)
    return Choice(
        rate=rate,
        length=length,
        error=curve[length],
        reached=length < max(curve),
        at_edge=not arm.rate_of and rate in (tuned[0], tuned[-1]),
    )
