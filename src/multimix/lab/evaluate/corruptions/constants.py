"""How strong is each severity? Published constants, by the size of the images.

All constants of the nineteen types are those of the code that made CIFAR-10-C, Tiny-ImageNet-C and ImageNet-C
(github.com/hendrycks/robustness, ImageNet-C/create_c/make_cifar_c.py, make_tinyimagenet_c.py, make_imagenet_c.py).
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

SEVERITIES = (1, 2, 3, 4, 5)
# Short sides, in pixels, from which the constants for 64 and for 224 pixels hold.
TINY_FROM, IMAGENET_FROM = 64, 128

T = TypeVar("T")


@dataclass(frozen=True)
class Constants(Generic[T]):
    """Five values, one per severity, for each of three sizes of images.

    Args:
        cifar: Published for 32 pixels; used below 64.
        tiny: Published for 64 pixels; used below 128.
        imagenet: Published for 224 pixels.
    """

    cifar: tuple[T, ...]
    tiny: tuple[T, ...]
    imagenet: tuple[T, ...]

    def at(self, pixels: Tensor, severity: int) -> T:
        """Return the value for images of this size."""
        side = min(pixels.shape[-2:])
        values = self.cifar if side < TINY_FROM else self.tiny if side < IMAGENET_FROM else self.imagenet
        return values[severity - 1]
