"""Which batches are compared: a list that is data."""

from collections.abc import Sequence
from dataclasses import dataclass

from multimix.lab.variance.settings import VarianceSettings

MIXES, FEWER, LARGE = "P pairs × K", "P/K pairs × K", "K P pairs × 1"


@dataclass(frozen=True)
class Design:
    """A way to make a batch.

    Args:
        kind: What is held equal to P pairs with one mix: the pairs (`MIXES`), the rows (`FEWER`), or nothing: as many
            fresh pairs as there would be mixes (`LARGE`).
        num_mixes: K.
        num_pairs: Pairs of the batch.
        mixes_per_pair: Mixes of each.
        sampling: How coefficients are drawn.
        share: Who has coefficients of its own.
        partners: Whether all mixes of a sample have the same partner.
        norm: Statistics of batch norm: of the batch, or kept.
    """

    kind: str
    num_mixes: int
    num_pairs: int
    mixes_per_pair: int
    sampling: str
    share: str
    partners: str
    norm: str = "batch"

    @classmethod
    def of(cls, kind: str, num_mixes: int, pairs: int, draw: Sequence[str], norm: str = "batch") -> "Design":
        """Return the design of a kind.

        Args:
            kind: One of the three.
            num_mixes: K.
            pairs: Pairs with one mix, P.
            draw: Sampling, share, partners.
            norm: As above.
        """
        sizes = {MIXES: (pairs, num_mixes), FEWER: (pairs // num_mixes, num_mixes), LARGE: (pairs * num_mixes, 1)}
        num_pairs, mixes_per_pair = sizes[kind]
        sampling, share, partners = draw
        return cls(kind, num_mixes, num_pairs, mixes_per_pair, sampling, share, partners, norm)

    @property
    def rows(self) -> int:
        """Rows that the model sees."""
        return self.num_pairs * self.mixes_per_pair

    @property
    def draw(self) -> tuple[str, str, str]:
        """How coefficients and partners are drawn."""
        return self.sampling, self.share, self.partners


def designs(settings: VarianceSettings, has_batch_norm: bool) -> list[Design]:
    """Return what is measured at each moment.

    P pairs × K for each sampling and share, and with the other kind of partners; P/K pairs × K as configured; K P pairs
    × 1 as configured and with one coefficient for the batch, as published; with kept statistics of batch norm, if there
    is any.
    """
    configured = (settings.sampling, settings.share, settings.partners)
    drawn = [(sampling, share, settings.partners) for sampling in ("stratified", "iid") for share in ("pair", "batch")]
    drawn.sort(key=lambda draw: draw != configured)
    other = "fresh" if settings.partners == "same" else "same"
    one, *more = settings.num_mixes
    found = [Design.of(MIXES, k, settings.batch_size, draw) for draw in drawn for k in settings.num_mixes]
    for k in more:
        found.append(Design.of(MIXES, k, settings.batch_size, (*configured[:2], other)))
        found.append(Design.of(FEWER, k, settings.batch_size, configured))
        found += [
            Design.of(LARGE, k, settings.batch_size, draw)
            for draw in dict.fromkeys((configured, ("iid", "batch", settings.partners)))
        ]
    if has_batch_norm:
        found += [Design.of(MIXES, k, settings.batch_size, configured, "kept") for k in (one, largest_plain(more))]
    return found


def largest_plain(values: Sequence[int]) -> int:
    """Return the K that checks are made at: the largest up to 5, or the smallest."""
    return max((k for k in values if k <= 5), default=min(values))
