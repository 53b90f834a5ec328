"""ResNeXt-29 for small images: bottlenecks whose middle convolution works in groups."""

from collections.abc import Sequence
from functools import partial

from multimix.lab.models.blocks import Bottleneck, ImageNetwork, convolution, he_normal, pooled, stage

STEM_WIDTH = 64
BLOCKS_PER_STAGE = 3


class ResNeXt29(ImageNetwork):
    """ResNeXt-29, groups × group_width.

    Args:
        sample_shape: (channels, height, width) of one image.
        num_classes: Number of classes.
        groups: Groups of the middle convolutions (the paper's cardinality).
        group_width: Channels per group in the first stage; each further stage doubles them.
        stride: Stride of the first convolution: 1 at 32 pixels, 2 for Tiny-ImageNet's 64.

    References:
        Xie et al., 2017, Aggregated Residual Transformations for Deep Neural Networks, arXiv 1611.05431, section 5.3.
    """

    def __init__(
        self, sample_shape: Sequence[int], num_classes: int, groups: int = 4, group_width: int = 24, stride: int = 1
    ) -> None:
        super().__init__()
        inner = groups * group_width
        self.stem = convolution(sample_shape[0], STEM_WIDTH, stride=stride)
        block = partial(Bottleneck, groups=groups)
        self.stage1 = stage(partial(block, inner=inner), STEM_WIDTH, 256, BLOCKS_PER_STAGE, stride=1)
        self.stage2 = stage(partial(block, inner=2 * inner), 256, 512, BLOCKS_PER_STAGE, stride=2)
        self.stage3 = stage(partial(block, inner=4 * inner), 512, 1024, BLOCKS_PER_STAGE, stride=2)
        self.head = pooled(1024, num_classes)
        he_normal(self)
