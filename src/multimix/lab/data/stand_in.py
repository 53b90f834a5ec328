"""Made-up samples in place of a published data set: the same shape and classes, to try a run where the set is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from multimix.lab.data.held import HeldSplit
from multimix.lab.data.split import Data


@dataclass(frozen=True)
class Published:
    """What is known of a data set without having it.

    Args:
        num_train: Samples in the training split.
        num_classes: Classes.
        shape: Of a sample, where no option changes it.
        sized: Whether the option `size` is the side of the samples.
        sound: Shapes by the option `form`, for sounds.
    """

    num_train: int
    num_classes: int
    shape: tuple[int, ...] = (3, 224, 224)
    sized: bool = False
    sound: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    def sample_shape(self, options: Mapping[str, Any]) -> tuple[int, ...]:
        """Returns the shape of a sample with a data set's options."""
        if self.sound is not None:
            return self.sound[options.get("form", "spectrogram") == "waveform"]
        return (self.shape[0], options["size"], options["size"]) if self.sized and "size" in options else self.shape


PUBLISHED = {
    "fashion-mnist": Published(60_000, 10, (1, 28, 28)),
    "cifar10": Published(50_000, 10, (3, 32, 32)),
    "cifar100": Published(50_000, 100, (3, 32, 32)),
    "tiny-imagenet": Published(100_000, 200, (3, 64, 64)),
    "imagenet-1k": Published(1_281_167, 1000, sized=True),
    "cub-200-2011": Published(5_994, 200, sized=True),
    "speech-commands": Published(84_843, 35, sound=((1, 161, 101), (1, 16_000))),  # version 0.02
    "fsdd": Published(2_700, 10, sound=((1, 81, 101), (1, 8_000))),
}


def stand_in(name: str, options: Mapping[str, Any], num: int) -> Data:
    """Returns made-up data for a published set: normal noise around a mean of its own for every class.

    Args:
        name: One of `PUBLISHED`.
        options: The data set's options.
        num: Samples to make for each split.
    """
    published = PUBLISHED[name]
    generator = torch.Generator().manual_seed(0)
    shape, classes = published.sample_shape(options), published.num_classes
    means = torch.randn(classes, generator=generator)

    def split() -> HeldSplit:
        labels = torch.arange(num) % classes
        noise = torch.randn(num, *shape, generator=generator)
        return HeldSplit(noise + means[labels].view(-1, *[1] * len(shape)), labels)

    return Data(split(), split(), classes)
