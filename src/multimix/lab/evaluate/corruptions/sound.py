"""Seven corruptions of sound, five severities each, for spectrograms and waveforms as a model gets them.

No set is published, so types and constants are multimix's own. Samples are expected to have mean 0 and standard
deviation 1. Silence is a spectrogram's lowest value, and 0 in a waveform.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from multimix.lab.core.checks import check
from multimix.lab.evaluate.corruptions.draws import Draws

NOISE = (0.1, 0.2, 0.3, 0.5, 0.8)  # standard deviation
MASKED = (0.05, 0.1, 0.2, 0.3, 0.4)  # share of the time, or of the frequencies
SHIFT = (0.05, 0.1, 0.15, 0.2, 0.3)  # share of the time, earlier or later
GAIN = (0.8, 0.6, 0.4, 0.3, 0.2)
KEPT = (0.7, 0.5, 0.35, 0.25, 0.15)  # share of the frequencies
DECAY = (0.01, 0.02, 0.04, 0.08, 0.12)  # share of the time in which an echo falls to 1 / e


def gaussian_noise(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return sound with normal noise."""
    return x + NOISE[severity - 1] * draws.normal(*x.shape[1:])


def time_mask(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return sound with one silent stretch."""
    hidden = _stretch(x.shape[-1], MASKED[severity - 1], draws)
    return torch.where(hidden.view(len(x), *[1] * (x.ndim - 2), -1), _silence(x), x)


def frequency_mask(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return sound that lacks one band of frequencies."""
    return _without(x, _stretch(_num_bands(x), MASKED[severity - 1], draws))


def time_shift(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return sound that begins earlier or later; silence fills the gap."""
    length = x.shape[-1]
    later = (draws.integers(0, 2) * 2 - 1) * round(SHIFT[severity - 1] * length)
    source = torch.arange(length, device=x.device) - later[:, None]
    source = source.view(len(x), *[1] * (x.ndim - 2), length).expand_as(x)
    moved = x.gather(-1, source.clamp(0, length - 1))
    return torch.where((source >= 0) & (source < length), moved, _silence(x))


def gain(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return sound that is less loud; of a spectrogram, whose loud and quiet parts differ less."""
    return GAIN[severity - 1] * x


def low_pass(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return sound without its high frequencies."""
    bands = torch.arange(_num_bands(x), device=x.device)
    return _without(x, (bands >= KEPT[severity - 1] * len(bands)).expand(len(x), -1))


def reverberation(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return sound that rings on: each moment decays exponentially, in a waveform as noise does in a room."""
    length = x.shape[-1]
    time = torch.arange(length, device=x.device)
    echo = (-time / (DECAY[severity - 1] * length)).exp().expand(len(x), length)
    if x.ndim == 3:
        echo = echo * draws.normal(length).where(time > 0, 1)
        echo = echo / echo.norm(dim=1, keepdim=True)
    else:
        echo = echo / echo.sum(dim=1, keepdim=True)
    silence = _silence(x)
    answer = torch.fft.rfft(echo, n=2 * length).view(len(x), *[1] * (x.ndim - 2), -1)
    ringing: Tensor = torch.fft.irfft(torch.fft.rfft(x - silence, n=2 * length) * answer, n=2 * length)
    return silence + ringing[..., :length]


SOUND: dict[str, Callable[[Tensor, int, Draws], Tensor]] = {
    "gaussian_noise": gaussian_noise,
    "time_mask": time_mask,
    "frequency_mask": frequency_mask,
    "time_shift": time_shift,
    "gain": gain,
    "low_pass": low_pass,
    "reverberation": reverberation,
}
SHORTEST = 8  # points in time


def check_sound(shape: tuple[int, ...]) -> None:
    """Refuse samples that these corruptions are not for.

    Raises:
        UsageError: if a sample is neither (1, samples) nor (1, frequencies, times).
    """
    fits = len(shape) in (2, 3) and shape[0] == 1 and shape[-1] >= SHORTEST
    rule = "what is corrupted must be images, spectrograms (1, F, T) or waveforms (1, L)"
    check(fits, rule, "choose another data set", shape=tuple(shape))


def corrupt_sound(x: Tensor, name: str, severity: int, seed: int, first: int = 0) -> Tensor:
    """Return (N, 1, F, T) spectrograms or (N, 1, L) waveforms after one corruption.

    Args:
        x: What the model gets.
        name: One of `SOUND`.
        severity: 1 to 5.
        seed: The source of chance.
        first: Index of the first sample among all.
    """
    draws = Draws(seed, f"{name}/{severity}", range(first, first + len(x)), x.device)
    return SOUND[name](x, severity, draws)


def _silence(x: Tensor) -> Tensor:
    """Return the value of silence in each sample."""
    return x.amin(dim=(1, 2, 3), keepdim=True) if x.ndim == 4 else torch.zeros_like(x[:, :1, :1])


def _num_bands(x: Tensor) -> int:
    return x.shape[-2] if x.ndim == 4 else x.shape[-1] // 2 + 1


def _stretch(length: int, share: float, draws: Draws) -> Tensor:
    """Return (N, length), true on one stretch at a random place."""
    size = round(share * length)
    place = draws.integers(0, length - size + 1, 1)
    at = torch.arange(length, device=place.device)
    return (at >= place) & (at < place + size)


def _without(x: Tensor, bands: Tensor) -> Tensor:
    """Return sound without the (N, bands) frequencies that are true."""
    if x.ndim == 4:
        return torch.where(bands[:, None, :, None], _silence(x), x)
    rest: Tensor = torch.fft.irfft(torch.fft.rfft(x).masked_fill(bands[:, None], 0), n=x.shape[-1])
    return rest
