"""ResNeXt-29 for small images: bottlenecks whose middle convolution works in groups."""

from collections.abc import Sequence

from torch import Tensor, nn

from multimix.lab.models.bottleneck import stage
from multimix.lab.models.initialise import he_normal

STEM_WIDTH = 64
BLOCKS_PER_STAGE = 3


class ResNeXt29(nn.Module):
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

    sample_dims = 3
    # Modules at whose input manifold mixup may mix: the image itself, after stage 1, after stage 2.
    mix_layers = ("", "stage2", "stage3")

    def __init__(
        self, sample_shape: Sequence[int], num_classes: int, groups: int = 4, group_width: int = 24, stride: int = 1
    ) -> None:
        super().__init__()
        inner = groups * group_width
        self.stem = nn.Sequential(
            nn.Conv2d(sample_shape[0], STEM_WIDTH, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(STEM_WIDTH),
            nn.ReLU(),
        )
        self.stage1 = stage(STEM_WIDTH, inner, 256, BLOCKS_PER_STAGE, stride=1, groups=groups)
        self.stage2 = stage(256, 2 * inner, 512, BLOCKS_PER_STAGE, stride=2, groups=groups)
        self.stage3 = stage(512, 4 * inner, 1024, BLOCKS_PER_STAGE, stride=2, groups=groups)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, num_classes))
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the (N, num_classes) logits."""
        logits: Tensor = self.head(self.stage3(self.stage2(self.stage1(self.stem(x)))))
        return logits
