"""Random energies of every kind that training meets, and some it should not."""

import numpy as np

LAMS = (0.999, 0.9, 0.7, 0.5, 0.3, 0.1, 0.001)
KINDS = ("flat", "peaky", "point", "zero", "ties")


def saliency(rng, kind, pairs, height, width):
    """Saliency that sums to 1 per image; `point` puts all of it into one block."""
    if kind == "zero":
        return np.full((pairs, height, width), 1.0 / (height * width))
    if kind == "ties":
        s = rng.integers(1, 3, (pairs, height, width)).astype(np.float64)
    elif kind == "flat":
        s = rng.gamma(5.0, size=(pairs, height, width))
    elif kind == "point":
        s = np.zeros((pairs, height * width))
        s[np.arange(pairs), rng.integers(height * width, size=pairs)] = 1.0
        s = s.reshape(pairs, height, width)
    else:
        r, c = np.mgrid[:height, :width]
        centre = rng.random((pairs, 2)) * (height, width)
        far = (r - centre[:, :1, None]) ** 2 + (c - centre[:, 1:, None]) ** 2
        s = rng.gamma(0.3, size=(pairs, height, width)) * np.exp(-far / (0.08 * max(height, width) ** 2)) + 1e-6
    return s / s.sum((1, 2), keepdims=True)


def problem(rng, kind, pairs, height, width, gamma=0.5, beta=1.2, eta=0.2):
    """gain, right, down, thresholds, spread as Puzzle Mix makes them; differences of pixels are drawn directly."""
    n = max(height, width)
    strength = beta / (16 * n)
    shapes = ((pairs, height, width - 1), (pairs, height - 1, width))
    right, down = (strength * (1 + gamma * rng.uniform(-1, 1, shape)) for shape in shapes)
    gain = saliency(rng, kind, pairs, height, width) - saliency(rng, kind, pairs, height, width)
    gain = gain + strength * gamma * rng.uniform(-0.5, 0.5, gain.shape) * (kind != "ties")
    lam = np.repeat(np.array(LAMS)[:, None], pairs, axis=1)
    unit = eta / (height * width)
    return gain, right, down, unit * np.log((1 - lam) / lam), np.full(pairs, unit * np.log(2))
