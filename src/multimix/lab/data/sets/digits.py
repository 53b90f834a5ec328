"""Real handwritten digits that need no download.

1,797 images of 8 × 8 grey values, the test part of the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin
and Kaynak, 1998), as shipped with scikit-learn. The file does not say who wrote which digit, so writers occur on both
sides of our split and errors are lower than on the unseen writers of the UCI protocol.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import BadFiles
from multimix.lab.data.held import HeldSplit
from multimix.lab.data.prepare import Standardise

# Half for testing: with 899 images one mistake is 0.11 points, small against the differences that are of interest.
TEST_SHARE = 0.5
# The split is the same for every run: seeds vary the training, not the question.
SPLIT_SEED = 0


@dataclass(frozen=True)
class Digits:
    """(N, 1, 8, 8) float32 in [0, 1], normalised by the training split's statistics."""

    name = "digits"

    def load(self, root: Path | None, bad_files: BadFiles) -> EncodedData:
        """Load the digits."""
        from sklearn.model_selection import train_test_split

        x, labels = _stored()
        train, test = train_test_split(
            torch.arange(len(labels)).numpy(), test_size=TEST_SHARE, stratify=labels.numpy(), random_state=SPLIT_SEED
        )
        splits = {"train": HeldSplit(x[train], labels[train]), "test": HeldSplit(x[test], labels[test])}
        normalise = Standardise((x[train].mean().item(),), (x[train].std().item(),))
        return EncodedData(self.name, splits, [str(digit) for digit in range(10)], prepare=normalise)


@cache
def _stored() -> tuple[Tensor, Tensor]:
    """Read images and labels, once for all runs of a process: they come as text. Splits copy what they take."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / 16  # grey values are 0..16
    return x, torch.tensor(bunch.target, dtype=torch.int64)
