"""torchvision v2: mixing as a transform of batches, beside `v2.CutMix` and `v2.MixUp`."""

import sys
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from multimix import MultiMix
from multimix.adapters.batch import TakesMix, check_mix, check_pair
from multimix.once import note_mixed, warn_of_mixed


@dataclass(frozen=True)
class MixTransform(TakesMix):
    """A transform of batches: `images, labels = transform(images, labels)`, or one batch `[images, labels]`.

    Fits wherever `v2.CutMix` does: after the loader, in a `collate_fn`, in `v2.RandomChoice` and `v2.Compose`.
    `tv_tensors.Image` and `tv_tensors.Video` stay what they are; all frames of a video (B, T, C, H, W) are mixed
    alike, so CutMix cuts height and width only. A `tv_tensors.Mask` in place of labels needs
    `MultiMix(..., dense_targets=True)`; boxes and key points are refused. Plain tensors need no torchvision.

    Args:
        mix: what to do; methods that need the model are refused.

    Raises:
        TypeError, ValueError: if mix is no MultiMix, or needs the model.

    Example:
        >>> transform = v2.RandomChoice([MixTransform(cutmix), MixTransform(mixup)])
        >>> images, labels = transform(images, labels)
    """

    mix: MultiMix

    def __post_init__(self) -> None:
        check_mix(self.mix, "MixTransform")

    def __call__(self, *inputs: Any) -> Any:
        """Mix a batch.

        Returns:
            (images, labels), as a list if one list was given.

        Raises:
            TypeError: if the inputs are not two tensors, or one is a `tv_tensor` that cannot be mixed.
            ValueError: if they do not fit.
        """
        batch = inputs[0] if len(inputs) == 1 else inputs
        images, labels = check_pair(batch, "MixTransform", "take images and labels out of it first")
        for part in (images, labels):
            self._check_kind(part)
        frames = _is_kind(images, "Video")
        warn_of_mixed(images)  # the mixer sees another tensor
        plain = images.as_subclass(Tensor)
        x_mix, y_mix = self.mix(plain.flatten(1, 2) if frames else plain, labels.as_subclass(Tensor))
        if frames:
            x_mix = x_mix.reshape(-1, *plain.shape[1:])
        mixed = (note_mixed(x_mix.as_subclass(type(images)), "MixTransform"), y_mix)
        return list(mixed) if isinstance(batch, list) else mixed

    def _check_kind(self, part: Tensor) -> None:
        """Refuse what has a meaning that a weighted mean of its numbers has not."""
        if _is_kind(part, "TVTensor") and not _is_kind(part, "Image", "Video", "Mask"):
            raise TypeError(
                f"MixTransform mixes images, videos and masks, got {type(part).__name__}; leave it out of the batch: "
                f"means of coordinates mean nothing"
            )
        if _is_kind(part, "Mask") and not self.mix.dense_targets:
            raise ValueError(
                "dense_targets must be True for masks to follow the pixels, got Mask and dense_targets=False; pass "
                "MixTransform(MultiMix(..., dense_targets=True))"
            )


def _is_kind(part: Tensor, *names: str) -> bool:
    """Whether a tensor is one of these `tv_tensors`; where they were not imported, there are none."""
    kinds = sys.modules.get("torchvision.tv_tensors")
    return kinds is not None and isinstance(part, tuple(getattr(kinds, name) for name in names))
