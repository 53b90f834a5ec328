"""PreActResNet-18 for small images, in the form that the mixup papers train: no batch norm after the last block."""

from collections.abc import Sequence

from torch import nn

from multimix.lab.models.blocks import ImageNetwork, PreActBlock, pooled, stage

BLOCKS_PER_STAGE = 2


class PreActResNet18(ImageNetwork):
    """A residual network with identity mappings, four stages of two blocks.

    Weights start from PyTorch's own initialisation, as in the codes of Manifold Mixup and Puzzle Mix.

    Args:
        sample_shape: (channels, height, width) of one image.
        num_classes: Number of classes.
        stride: Stride of the first convolution: 1 at 32 pixels, 2 for Tiny-ImageNet's 64.
        width: Channels of the first stage; each further stage doubles them.

    References:
        He et al., 2016, Identity Mappings in Deep Residual Networks, arXiv 1603.05027.
    """

    def __init__(self, sample_shape: Sequence[int], num_classes: int, stride: int = 1, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Conv2d(sample_shape[0], width, 3, stride=stride, padding=1, bias=False)
        self.stage1 = stage(PreActBlock, width, width, BLOCKS_PER_STAGE, stride=1)
        self.stage2 = stage(PreActBlock, width, 2 * width, BLOCKS_PER_STAGE, stride=2)
        self.stage3 = stage(PreActBlock, 2 * width, 4 * width, BLOCKS_PER_STAGE, stride=2)
        self.stage4 = stage(PreActBlock, 4 * width, 8 * width, BLOCKS_PER_STAGE, stride=2)
        self.head = pooled(8 * width, num_classes)
