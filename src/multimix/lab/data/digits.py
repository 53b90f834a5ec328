"""Real handwritten digits that need no download.

1,797 images of 8 × 8 grey values, the test part of the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin
and Kaynak, 1998), as shipped with scikit-learn. The file does not say who wrote which digit, so writers occur on both
sides of our split and errors are lower than on the unseen writers of the UCI protocol.
"""

from dataclasses import dataclass

import torch

from multimix.lab.data.held import HeldSplit
from multimix.lab.data.open_context import OpenContext
from multimix.lab.data.prepare import Standardise
from multimix.lab.data.split import Data

# Half for testing: with 899 images one mistake is 0.11 points, small against the differences that are of interest.
TEST_SHARE = 0.5
# The split is the same for every run: seeds vary the training, not the question.
SPLIT_SEED = 0


@dataclass(frozen=True)
class Digits:
    """(N, 1, 8, 8) float32 in [0, 1], normalised by the training split's statistics."""

    def load(self, opening: OpenContext) -> Data:
        """Loads the digits."""
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        bunch = load_digits()
        x = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / 16  # grey values are 0..16
        labels = torch.tensor(bunch.target, dtype=torch.int64)
        train, test = train_test_split(
            torch.arange(len(labels)).numpy(), test_size=TEST_SHARE, stratify=labels.numpy(), random_state=SPLIT_SEED
        )
        normalise = Standardise((x[train].mean().item(),), (x[train].std().item(),))
        classes = tuple(map(str, range(10)))
        learnt, unseen = (HeldSplit(x[part], labels[part], normalise) for part in (train, test))
        return Data(learnt, unseen, 10, classes)
