"""Made-up samples in place of a published data set: the same shape and classes, to try a run where the set is not."""

from collections.abc import Mapping
from typing import Any

import torch

from multimix.lab.data import DATASETS, Data, HeldSplit, check_data
from multimix.lab.data.sets.published import Published


def published(name: str) -> type[Published] | None:
    """Return the published data set of a name, of which shape and classes are known without having it; or None."""
    kind = DATASETS.get(name)
    return kind if isinstance(kind, type) and issubclass(kind, Published) else None


def stand_in(name: str, options: Mapping[str, Any], num: int) -> Data:
    """Return made-up data for a published set: normal noise around a mean of its own for every class.

    Args:
        name: A data set that `published` knows.
        options: The data set's options.
        num: Samples to make for each split.
    """
    data_set = check_data(name, options)
    assert isinstance(data_set, Published)
    generator = torch.Generator().manual_seed(0)
    shape, classes = data_set.sample_shape, data_set.num_classes
    means = torch.randn(classes, generator=generator)

    def split() -> HeldSplit:
        labels = torch.arange(num) % classes
        noise = torch.randn(num, *shape, generator=generator)
        return HeldSplit(noise + means[labels].view(-1, *[1] * len(shape)), labels)

    return Data(split(), split(), classes)
