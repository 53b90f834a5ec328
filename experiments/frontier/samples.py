"""Which samples a seed trains on, chooses by and is judged on."""

from dataclasses import replace

import torch

from experiments.frontier.protocol import Protocol
from multimix.lab.data import Data, HeldSplit, Split
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.streamed import StreamedSplit

ROWS = 500  # that are decoded at once
WHITE = 255


def draw(data: Data, protocol: Protocol, seed: int) -> Data:
    """Draw the splits of one seed from all samples of a data set, so that intervals contain the draw of each.

    The training split has as many samples of every class; validation and test come from the rest, in random order.

    Args:
        data: All of the data set; its own splits are put together first.
        protocol: How many samples each split has.
        seed: Draws them.
    """
    pool = _pooled(data)
    used = _rows_of(pool, protocol, seed)
    rest = torch.ones(len(pool), dtype=torch.bool)
    rest[used] = False
    others = rest.nonzero().flatten()
    others = others[torch.randperm(len(others), generator=torch.Generator().manual_seed(seed))]
    end = protocol.validation + protocol.test if protocol.test else len(others)
    if len(others) < max(end, protocol.validation + 1):
        raise ValueError(
            f"validation and test must fit into what is not trained on, {len(others)} samples, got "
            f"validation={protocol.validation}, test={protocol.test}; ask for fewer"
        )
    plain = replace(pool, augment=None)
    validation, test = plain.subset(others[: protocol.validation]), plain.subset(others[protocol.validation : end])
    return replace(data, train=pool.subset(used), validation=validation, test=test)


def in_memory(data: Data) -> Data:
    """Return the same data, decoded once if they are photographs in files: the crops that models are tested on.

    Args:
        data: All of the data set, small enough for the memory.
    """
    return replace(data, train=_held(data.train), test=_held(data.test))


def _held(split: Split) -> HeldSplit:
    if isinstance(split, HeldSplit):
        return split
    assert isinstance(split, StreamedSplit)
    assert isinstance(split.prepare, Normalise)
    found = [((WHITE * split.prepare.of(x)).round().byte(), labels) for x, labels in split.chunks(ROWS)]
    x, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    augment = FlipCrop(x.shape[-1] // 8)
    return HeldSplit(x, labels, split.prepare, augment, split.boxes)


def _pooled(data: Data) -> HeldSplit:
    train, test = data.train, data.test
    assert isinstance(train, HeldSplit)
    assert isinstance(test, HeldSplit)
    boxes = None if train.boxes is None or test.boxes is None else torch.cat([train.boxes, test.boxes])
    return replace(train, x=torch.cat([train.x, test.x]), labels=torch.cat([train.labels, test.labels]), boxes=boxes)


def _rows_of(pool: HeldSplit, protocol: Protocol, seed: int) -> torch.Tensor:
    """Return the places of the training samples in the pool: labels are limited with places for samples."""
    places = replace(pool, x=torch.arange(len(pool)).unsqueeze(1), augment=None, boxes=None)
    numbered = Data(train=places, test=places, num_classes=int(pool.labels.max()) + 1)
    kept = numbered.limit_labels(protocol.labels_per_class, seed).train
    assert isinstance(kept, HeldSplit)
    return kept.x.flatten()
