"""ResNet-50 for images of about 224 pixels."""

from collections.abc import Sequence

from torch import Tensor, nn

from multimix.lab.models.bottleneck import stage
from multimix.lab.models.initialise import he_normal

STEM_WIDTH = 64


class ResNet50(nn.Module):
    """Four stages of 3, 4, 6 and 3 bottlenecks, strided at their 3 × 3 convolution (the form known as v1.5).

    Args:
        sample_shape: (channels, height, width) of one image.
        num_classes: Number of classes.

    References:
        He et al., 2016, Deep Residual Learning for Image Recognition, arXiv 1512.03385, table 1.
    """

    sample_dims = 3
    # Modules at whose input manifold mixup may mix: the image itself, after stage 1, after stage 2.
    mix_layers = ("", "stage2", "stage3")

    def __init__(self, sample_shape: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(sample_shape[0], STEM_WIDTH, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(STEM_WIDTH),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.stage1 = stage(STEM_WIDTH, 64, 256, blocks=3, stride=1)
        self.stage2 = stage(256, 128, 512, blocks=4, stride=2)
        self.stage3 = stage(512, 256, 1024, blocks=6, stride=2)
        self.stage4 = stage(1024, 512, 2048, blocks=3, stride=2)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, num_classes))
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the (N, num_classes) logits."""
        logits: Tensor = self.head(self.stage4(self.stage3(self.stage2(self.stage1(self.stem(x))))))
        return logits
