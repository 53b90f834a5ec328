"""FMix: the hills of a random landscape from the sample, its valleys from the partner."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Complex64, Float32, Int64
from torch import Tensor

from multimix.host import is_readable
from multimix.kernels.family import takes_triton
from multimix.masks import LEVELS, Ordered
from multimix.methods.method import Method
from multimix.methods.step import Step, checked_alpha
from multimix.scalars import as_number

NEGLIGIBLE = 15  # halvings of the strongest amplitude: all that are weaker shift a border by 1/50 of a position


@dataclass(frozen=True)
class FMix(Method):
    """Keep the positions where a smooth random field is highest: as many as lam says, in shapes of any form.

    One field per pair, periodic, of Gaussian Fourier coefficients whose amplitude falls as `frequency ** -decay`. Mix k
    keeps the `round(lam[k] * N)` highest of N positions, so masks are nested and labels weigh lam to half a position.
    Series, images and volumes.

    The paper's field, with three differences from the authors' code. That takes real and imaginary parts from the wrong
    axis of its draws, so that its fields hold frequencies 0 and 1 only along their last axis; these hold all, with the
    same power in all directions. It rounds lam * N up or down by the toss of a coin. And it can soften borders
    (`max_soft`), which is left out, as its default is 0.

    Fields cost a Fourier transform per pair on the CPU; where x is on an accelerator, it is done there, and only the
    coefficients are drawn on the CPU. `MultiMix(share="batch")` draws one field, as the authors do.

    Args:
        alpha: shape of the Beta(alpha, alpha) law of the coefficients, > 0; the paper uses 1.0.
        decay: how fast amplitudes fall with frequency, >= 0; the paper uses 3.0. Higher values give larger, rounder
            shapes, 0 noise.

    Raises:
        ValueError: if alpha is not a finite number > 0, or decay none >= 0.

    References:
        Harris et al., 2020, FMix: Enhancing Mixed Sample Data Augmentation, arXiv 2002.12047, sec. 4.
    """

    alpha: float = 1.0
    decay: float = 3.0
    cuts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", checked_alpha("FMix", self.alpha))
        decay = as_number(self.decay)
        if decay is None or not 0 <= decay < math.inf:
            raise ValueError(f"decay must be a finite number >= 0, got decay={self.decay!r}; try FMix(decay=3.0)")
        object.__setattr__(self, "decay", decay)

    def mask(self, step: Step) -> Ordered:
        """K nested masks per pair."""
        spectra, places = low_spectra(step.lam.shape[1], step.spatial, self.decay, step.geometry)
        num_kept = np.rint(step.lam * math.prod(step.spatial)).astype(np.int64)
        drawn, which, kept = step.tensors(*spread_spectra(spectra, places, step.spatial), num_kept)
        return highest(as_fields(drawn, which, step.spatial), kept)


def low_spectra(
    num: int, spatial: tuple[int, ...], decay: float, rng: np.random.Generator
) -> tuple[Complex64[np.ndarray, "num *low"], list[np.ndarray]]:
    """Fourier coefficients of real, isotropic fields, those of negligible amplitude left out.

    Of a real field's spectrum half of the last axis is stored, as each coefficient also stands for its mirror image.
    But frequency 0 and, in even sizes, the highest hold both: there the inverse transform averages mirror images and
    loses half of the power, so these are drawn with twice as much.

    Args:
        num: number of fields.
        spatial: their size.
        decay: amplitudes are `frequency ** -decay`; below one cycle along the longest axis they do not rise further.
        rng: the source of the draws.

    Returns:
        The coefficients, and where they lie on each axis of the spectrum that `irfftn` takes.
    """
    amplitude, places = _low_amplitudes(spatial, decay)
    parts = rng.standard_normal((num, *amplitude.shape), dtype=np.float32)
    parts *= amplitude
    return parts.view(np.complex64)[..., 0], places


@lru_cache(maxsize=16)
def _low_amplitudes(
    spatial: tuple[int, ...], decay: float
) -> tuple[Float32[np.ndarray, "*low 2"], list[Int64[np.ndarray, "_"]]]:
    """Amplitudes of real and imaginary parts, and where they lie; not to be written to."""
    frequencies = [np.abs(np.fft.fftfreq(size)) for size in spatial[:-1]] + [np.fft.rfftfreq(spatial[-1])]
    lowest = 1 / max(spatial)
    highest = lowest * 2 ** (NEGLIGIBLE / decay) if decay > 0.1 else math.inf
    places = [np.flatnonzero(frequency <= highest) for frequency in frequencies]
    squared = np.zeros(())
    for frequency, place in zip(frequencies, places, strict=True):
        squared = squared[..., None] + frequency[place] ** 2
    amplitude = (np.maximum(np.sqrt(squared), lowest) / lowest) ** -decay
    amplitude[..., 2 * places[-1] % spatial[-1] == 0] *= math.sqrt(2)
    return np.stack([amplitude, amplitude], axis=-1).astype(np.float32), places


def spread_spectra(
    spectra: Complex64[np.ndarray, "num *low"], places: list[np.ndarray], spatial: tuple[int, ...]
) -> tuple[Complex64[np.ndarray, "num low1"], Int64[np.ndarray, "*size"]]:
    """Return the coefficients of each field and a 0, in a row; and which of them is at each place of its spectrum.

    Along the last axis those left out are the last, and need no place.
    """
    size = (*spatial[:-1], len(places[-1]))
    drawn = np.pad(spectra.reshape(len(spectra), -1), ((0, 0), (0, 1)))
    which = np.full(size, drawn.shape[1] - 1)
    which[np.ix_(*places)] = np.arange(drawn.shape[1] - 1).reshape(spectra.shape[1:])
    return drawn, which


def as_fields(
    drawn: Complex64[Tensor, "num low1"], which: Int64[Tensor, "*size"], spatial: tuple[int, ...]
) -> Float32[Tensor, "num *spatial"]:
    """Return the real fields of such coefficients."""
    columns = drawn.index_select(1, which.flatten()).view(len(drawn), *which.shape)
    if len(spatial) > 1:
        columns = torch.fft.ifftn(columns, dim=tuple(range(1, len(spatial))))
    field: Tensor = torch.fft.irfft(columns, n=spatial[-1])
    return field


def highest(field: Float32[Tensor, "P *spatial"], num_kept: Int64[Tensor, "K P"]) -> Ordered:
    """Masks that keep the highest positions of a field: so many, and those as high as the last of them."""
    values = field.flatten(1)
    dtype = torch.uint8 if len(num_kept) <= LEVELS else torch.int16
    if takes_triton(values):
        from multimix.kernels.triton.levels import count_levels  # imports triton

        level, kept = count_levels(values, num_kept, dtype)
        return Ordered(level.view(field.shape), kept)
    limits = _limits_cpu(values, num_kept) if is_readable(values) else _limits(values, num_kept)
    level = torch.zeros_like(values, dtype=dtype)
    kept = torch.empty_like(num_kept)
    for k, limit in enumerate(limits):
        keeps = values >= limit[:, None]
        level += keeps
        kept[k] = keeps.sum(1, dtype=torch.int32)  # in a quarter of the time
    return Ordered(level.view(field.shape), kept)


def _limits(values: Float32[Tensor, "P N"], num_kept: Int64[Tensor, "K P"]) -> Float32[Tensor, "K P"]:
    """Return the lowest value that is kept: infinity where none is. No value is read, so no accelerator waits."""
    falling = values.sort(dim=1, descending=True).values
    limits = falling.gather(1, (num_kept - 1).clamp_min(0).T).T
    return limits.where(num_kept > 0, math.inf)


def _limits_cpu(values: Float32[Tensor, "P N"], num_kept: Int64[Tensor, "K P"]) -> Float32[Tensor, "K P"]:
    """Return the same without a sort: nobody needs the order of the values between the limits."""
    wanted = num_kept.numpy()
    places = values.shape[1] - np.maximum(wanted, 1)
    limits = np.empty(wanted.shape, dtype=np.float32)
    for i, row in enumerate(values.numpy()):
        limits[:, i] = np.partition(row, np.unique(places[:, i]))[places[:, i]]
    return torch.from_numpy(np.where(wanted > 0, limits, np.float32(math.inf)))
