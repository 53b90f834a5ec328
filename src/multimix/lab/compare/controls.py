"""What K mixes are compared with: the words, and the pairs, rows and updates that they stand for."""

from dataclasses import dataclass

from multimix.lab.core.errors import UsageError


@dataclass(frozen=True)
class Control:
    """A way to train, relative to K = 1 with B pairs (so B rows) per step and S updates.

    Args:
        about: What it is, as a part of a sentence.
        rows: Power of K by which its rows per step differ from B.
        updates: Power of K by which its updates differ from S.
        mixes: Whether each pair is mixed K times; once if not.
    """

    about: str
    rows: int = 0
    updates: int = 0
    mixes: bool = True

    def batch_size(self, batch_size: int, k: int) -> int:
        """Return its rows per step.

        Raises:
            UsageError: if B/K is not an integer.
        """
        if self.rows >= 0:
            return int(batch_size * k**self.rows)
        if batch_size % k:
            raise UsageError(
                f"batch_size must be divisible by num_mixes, got batch_size={batch_size}, num_mixes={k}; "
                f"try {batch_size // k * k + k}"
            )
        return batch_size // k


SINGLE = Control("one mix of B pairs")
CONTROLS = {
    "same-pairs": Control("K mixes of B pairs", rows=1),
    "same-rows": Control("K mixes of B/K pairs"),
    "same-images": Control("K mixes of B/K pairs in K times the updates", updates=1),
    "k-updates": Control("one mix of B pairs in K times the updates", updates=1, mixes=False),
    "k-batch": Control("one mix of K·B pairs", rows=1, mixes=False),
    "small-batch": Control("one mix of B/K pairs in K times the updates", rows=-1, updates=1, mixes=False),
}
