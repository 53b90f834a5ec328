"""Which seed belongs to which draw.

Every draw of a run is seeded by (seed, purpose, index) and by nothing else, never by how much was drawn before. So step
1000 can be made without the 999 before it, and two runs with one seed meet the same images in the same order, whatever
method they train: their difference is the method's.
"""

import zlib

import numpy as np


def seed_of(seed: int, purpose: str, index: int = 0) -> int:
    """Returns the seed, in [0, 2**63), of draw number `index` for one purpose of a run."""
    entropy = [seed, zlib.crc32(purpose.encode()), index]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))
