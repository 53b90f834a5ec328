"""One of several methods, drawn per batch."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from multimix.methods.method import Drawn, Method
from multimix.methods.names import as_method
from multimix.scalars import as_number
from multimix.streams import Streams


@dataclass(frozen=True, init=False)
class Choice(Drawn):
    """A method that is one of several, drawn anew for every batch (all ranks draw the same one).

    Args:
        methods: methods or their names; `"none"` returns the batch once, labels soft.
        weights: relative probabilities, >= 0, at least one > 0. None: all equal.

    Raises:
        ValueError: if there are no methods, a name is unknown, or the weights do not fit.

    Examples:
        >>> Choice(["mixup", CutMix(alpha=0.5), "none"], weights=[1, 2, 1])
    """

    methods: tuple["Method | Choice", ...]
    weights: tuple[float, ...]

    def __init__(self, methods: Sequence["Method | Choice | str"], weights: Sequence[float] | None = None) -> None:
        if isinstance(methods, str) or not isinstance(methods, Sequence) or len(methods) == 0:
            raise ValueError(
                f"methods must be a list of at least one method, got methods={methods!r}; try "
                f'Choice(["mixup", "cutmix"], weights=[1, 2])'
            )
        given = (1.0,) * len(methods) if weights is None else weights
        numbers = [as_number(weight) for weight in given] if isinstance(given, Iterable) else []
        chances = tuple(float(w) for w in numbers if w is not None and math.isfinite(w) and w >= 0)
        if not len(chances) == len(numbers) == len(methods) or not 0 < sum(chances) < math.inf:
            raise ValueError(
                f"weights must be {len(methods)} finite numbers >= 0 (one per method) with a positive sum, got "
                f"weights={weights!r}; give relative probabilities"
            )
        object.__setattr__(self, "methods", tuple(as_method(method) for method in methods))
        object.__setattr__(self, "weights", chances)

    def pick(self, streams: Streams) -> Method:
        """Return the method of one batch."""
        edges = np.cumsum(self.weights)
        place = streams.batch.random() * edges[-1]
        return self.methods[int(np.searchsorted(edges, place, side="right"))].pick(streams)

    @property
    def options(self) -> list[Method]:
        """All that may be drawn, those of choices among them included: none of weight 0."""
        drawn = zip(self.methods, self.weights, strict=True)
        return [option for method, weight in drawn if weight > 0 for option in method.options]
