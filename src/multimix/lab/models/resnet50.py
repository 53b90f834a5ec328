"""ResNet-50 for images of about 224 pixels."""

from collections.abc import Sequence
from functools import partial

from torch import nn

from multimix.lab.models.blocks import Bottleneck, ImageNetwork, convolution, he_normal, pooled, stage

STEM_WIDTH = 64


class ResNet50(ImageNetwork):
    """Four stages of 3, 4, 6 and 3 bottlenecks, strided at their 3 × 3 convolution (the form known as v1.5).

    Args:
        sample_shape: (channels, height, width) of one image.
        num_classes: Number of classes.

    References:
        He et al., 2016, Deep Residual Learning for Image Recognition, arXiv 1512.03385, table 1.
    """

    def __init__(self, sample_shape: Sequence[int], num_classes: int) -> None:
        super().__init__()
        stem = convolution(sample_shape[0], STEM_WIDTH, 7, stride=2)
        self.stem = stem.append(nn.MaxPool2d(3, stride=2, padding=1))
        self.stage1 = stage(partial(Bottleneck, inner=64), STEM_WIDTH, 256, blocks=3, stride=1)
        self.stage2 = stage(partial(Bottleneck, inner=128), 256, 512, blocks=4, stride=2)
        self.stage3 = stage(partial(Bottleneck, inner=256), 512, 1024, blocks=6, stride=2)
        self.stage4 = stage(partial(Bottleneck, inner=512), 1024, 2048, blocks=3, stride=2)
        self.head = pooled(2048, num_classes)
        he_normal(self)
