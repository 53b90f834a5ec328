"""Who mixes with whom."""

import numpy as np
from jaxtyping import Int64

PARTNERS = ("same", "fresh")


def draw_partner(num_samples: int, rng: np.random.Generator) -> Int64[np.ndarray, "{num_samples}"]:
    """Draw a partner for every sample: a random cycle through the batch.

    Each sample's partner is uniform over the others, each sample is partner once, none is its own partner, and for
    more than two samples no pair comes twice with its sides swapped (which would waste a forward pass).
    A batch of one is its own partner.
    """
    order = rng.permutation(num_samples)
    partner = np.empty(num_samples, dtype=np.int64)
    partner[order[:-1]] = order[1:]
    partner[order[-1]] = order[0]
    return partner


def draw_fresh_partners(
    num_mixes: int, num_samples: int, rng: np.random.Generator
) -> Int64[np.ndarray, "{num_mixes} {num_samples}"]:
    """Draw a new partner for every mix: the repeated-mixup control, K independent cycles."""
    return np.stack([draw_partner(num_samples, rng) for _ in range(num_mixes)])
