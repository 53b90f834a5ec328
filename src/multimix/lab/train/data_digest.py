"""Are the data of a run those that it was begun with? Files that come or go change the splits, and so the labels."""

from multimix.lab.data import Data
from multimix.lab.train.checkpoint import digest


def labels_digest(data: Data) -> str:
    """Return the SHA-256, in hexadecimal, of the labels of all splits, in order."""
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    return digest({name: split.labels for name, split in splits.items() if split is not None})
