"""A problem whose gradient variance is known: a linear model, squared loss, Gaussian inputs, mixup.

f(x) = <w, x>, y = <w - delta, x> + noise, x ~ N(0, I). With r = <w, x> - y the gradient of a mix is

    (lam r + (1 - lam) r') (lam x + (1 - lam) x') = lam^2 u + (1 - lam)^2 u' + lam (1 - lam) s

where u = r x, u' = r' x' and s = r x' + r' x. docs/variance.md derives the rest.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Linear:
    """delta: how far the weights are from the best, (d,); noise: standard deviation of y; alpha: of the Beta law."""

    delta: np.ndarray
    noise: float
    alpha: float

    def samples(self, rng, *shape):
        """(*shape, d) inputs and (*shape,) residuals."""
        x = rng.standard_normal((*shape, len(self.delta)))
        return x, x @ self.delta - self.noise * rng.standard_normal(shape)

    @property
    def moments(self):
        """E lam^2, E lam^4, E lam (1 - lam), E lam^2 (1 - lam)^2."""
        a = self.alpha
        second = a * (a + 1) / (2 * a * (2 * a + 1))
        fourth = second * (a + 2) * (a + 3) / ((2 * a + 2) * (2 * a + 3))
        both = (a * (a + 1)) ** 2 / (2 * a * (2 * a + 1) * (2 * a + 2) * (2 * a + 3))
        return second, fourth, 0.5 - second, both

    @property
    def tau(self):
        """E|u - E u|^2."""
        d, length = len(self.delta), self.delta @ self.delta
        return length * (d + 1) + self.noise**2 * d

    @property
    def swap(self):
        """E|s|^2."""
        d, length = len(self.delta), self.delta @ self.delta
        return 2 * d * (length + self.noise**2) + 2 * length

    @property
    def mean(self):
        return 2 * self.moments[0] * self.delta

    @property
    def one(self):
        """V1: of what one sample adds to every pair it is in."""
        return self.moments[0] ** 2 * self.tau

    @property
    def two(self):
        """V12: of what only the two together add."""
        return self.moments[2] ** 2 * self.swap

    @property
    def a(self):
        return 2 * self.one + self.two

    @property
    def a_eff(self):
        return 4 * self.one + self.two

    @property
    def b(self):
        return 4 * (self.moments[3] - self.moments[2] ** 2) * (self.delta @ self.delta)

    @property
    def c(self):
        second, fourth, product, both = self.moments
        return 2 * (fourth - second**2) * self.tau + (both - product**2) * self.swap

    @property
    def c_eff(self):
        second, _, _, both = self.moments
        return self.c + 2 * (both - second**2) * self.tau


def gradient(lam, x, r, x_other, r_other):
    """Gradients of mixes; lam, r and r_other have the shape of x but for its last axis."""
    lam = lam[..., None]
    return (lam[..., 0] * r + (1 - lam[..., 0]) * r_other)[..., None] * (lam * x + (1 - lam) * x_other)


def batches(problem, rng, num, pairs, mixes, share, cycle=True, x=None, r=None, sampling_lam=None):
    """(num, d) gradients of batches with i.i.d. coefficients; independent pairs, or a cycle through the batch.

    Samples may be given, to draw other coefficients for the same pairs. Partners are the next ones: for independent
    samples any cycle is as good as a random one.
    """
    if x is None:
        x, r = problem.samples(rng, num, pairs)
    if cycle:
        x_other, r_other = np.roll(x, -1, axis=1), np.roll(r, -1, axis=1)
    else:
        x_other, r_other = problem.samples(rng, num, pairs)
    columns = pairs if share == "pair" else 1
    lam = rng.beta(problem.alpha, problem.alpha, (mixes, num, columns))
    lam = np.broadcast_to(lam, (mixes, num, pairs))
    return np.mean([gradient(one, x, r, x_other, r_other).mean(1) for one in lam], axis=0)
