"""Snow: flakes drawn out by their fall, and a whitened scene."""

from torch import Tensor

from multimix.lab.evaluate.corruptions.colour import luma
from multimix.lab.evaluate.corruptions.constants import Constants
from multimix.lab.evaluate.corruptions.draws import Draws
from multimix.lab.evaluate.corruptions.eight_bits import truncated
from multimix.lab.evaluate.corruptions.motion import moved
from multimix.lab.evaluate.corruptions.zoom import enlarged

# Mean and standard deviation of the flakes' brightness, their size, what is no flake, reach and standard deviation of
# their fall, share of the scene that is not whitened.
SNOW = Constants(
    (
        (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
        (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
    ),
    (
        (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.8),
        (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.8),
        (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.7),
        (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.65),
        (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.6),
    ),
    (
        (0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
        (0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
        (0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
    ),
)


def snow(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Returns the images in falling snow."""
    mean, std, size, threshold, radius, sigma, clear = SNOW.at(pixels, severity)
    flakes = enlarged(mean + std * draws.normal(1, *pixels.shape[-2:]), size)
    flakes = truncated(flakes.where(flakes >= threshold, 0))
    fallen = moved(flakes, radius, sigma, draws.uniform(-135, -45))
    scene = clear * pixels + (1 - clear) * pixels.maximum(1.5 * luma(pixels) + 0.5)
    return scene + fallen + fallen.flip(2, 3)
