"""The weights that residual networks for images start from."""

from torch import nn


def he_normal(model: nn.Module) -> None:
    """Draws every convolution from N(0, 2 / (k² · outputs)), which keeps the variance of gradients from layer to layer.

    References:
        He et al., 2015, Delving Deep into Rectifiers, arXiv 1502.01852, equation 14.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
