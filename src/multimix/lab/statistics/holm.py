"""Many comparisons at once: some would look significant by chance."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order given.

    Calling significant whatever is at most 0.05 afterwards finds something where there is nothing, anywhere in the
    family, with a probability of at most 5 %, however the tests depend on each other.

    References:
        Holm, 1979, A simple sequentially rejective multiple test procedure.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
