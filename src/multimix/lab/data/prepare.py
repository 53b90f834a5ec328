"""From stored bytes and sound to what a model gets: batch by batch, on the device."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from multimix.lab.core.errors import UsageError

WINDOW_S, HOP_S = 0.02, 0.01  # of a spectrogram
FULL_SCALE = 32768.0  # of 16-bit sound
SILENCE = 1e-6  # keeps a sample without any sound from being divided by zero


def as_is(x: Tensor) -> Tensor:
    """Return samples that are stored as the model gets them."""
    return x


@dataclass(frozen=True)
class Pixels:
    """How pixels in [0, 1] become what a model gets: mean 0 and standard deviation 1 over the training split.

    Args:
        mean: Of each channel, of pixels in [0, 1].
        std: Of each channel, of pixels in [0, 1].
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def of(self, x: Tensor) -> Tensor:
        """Return the pixels in [0, 1] of what a model gets, (N, channels, ...)."""
        return (x * self._channels(self.std, x) + self._channels(self.mean, x)).clamp(0, 1)

    def as_input(self, pixels: Tensor) -> Tensor:
        """Return what a model gets for pixels in [0, 1]; gradients flow through."""
        return (pixels - self._channels(self.mean, pixels)) / self._channels(self.std, pixels)

    @staticmethod
    def _channels(values: tuple[float, ...], x: Tensor) -> Tensor:
        return torch.tensor(values, dtype=x.dtype, device=x.device).view([-1, *[1] * (x.ndim - 2)])


@dataclass(frozen=True)
class Standardise(Pixels):
    """Pixels that are stored as numbers in [0, 1]."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return normalised images."""
        return self.as_input(x)


@dataclass(frozen=True)
class Normalise(Pixels):
    """Pixels that are stored as bytes."""

    @classmethod
    def measured(cls, x: Tensor, what: str) -> "Normalise":
        """Return the normalisation by the mean and standard deviation of (N, C, H, W) bytes, channel by channel.

        Args:
            x: The images.
            what: What to call them in messages.

        Raises:
            UsageError: if there are none.
        """
        if not len(x):
            raise UsageError(f"{what} must hold images that can be decoded, got none; give another folder")
        counts = torch.stack([channel.flatten().bincount(minlength=256) for channel in x.unbind(1)]).double()
        values = torch.arange(256, dtype=torch.float64) / 255
        share = counts / counts.sum(dim=1, keepdim=True)
        mean = share @ values
        std = (share @ values.square() - mean.square()).clamp(min=1e-4).sqrt()
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    def __call__(self, x: Tensor) -> Tensor:
        """Return normalised float32 images."""
        channels = [-1, *[1] * (x.ndim - 2)]
        scale = torch.tensor([1 / (255 * std) for std in self.std], device=x.device).view(channels)
        shift = torch.tensor([-mean / std for mean, std in zip(self.mean, self.std, strict=True)], device=x.device)
        return x.to(torch.float32, copy=True).mul_(scale).add_(shift.view(channels))


@dataclass(frozen=True)
class Waveform:
    """16-bit sound to numbers with mean 0 and standard deviation 1 within each sample."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, 1, samples) float32 waveforms."""
        return _standardised(x.float() / FULL_SCALE)


@dataclass(frozen=True)
class LogSpectrogram:
    """16-bit sound to log(1 + |short-time Fourier transform|), mean 0 and standard deviation 1 within each sample.

    Args:
        window: Samples per window, 20 ms in the published codes, weighted by a Hamming window.
        hop: Samples from one window to the next, 10 ms in the published codes.
    """

    window: int
    hop: int

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, 1, window // 2 + 1, samples // hop + 1) float32 spectrograms."""
        sound = x.squeeze(1).float() / FULL_SCALE
        weights = torch.hamming_window(self.window, device=x.device)
        spectrum = torch.stft(sound, self.window, self.hop, window=weights, return_complex=True, pad_mode="constant")
        return _standardised(spectrum.abs().log1p().unsqueeze(1))


def sound_as(form: str, rate: int) -> Callable[[Tensor], Tensor]:
    """Return what makes sound of a rate ready for the model, in a form: "spectrogram" or "waveform"."""
    return Waveform() if form == "waveform" else LogSpectrogram(round(rate * WINDOW_S), round(rate * HOP_S))


def _standardised(x: Tensor) -> Tensor:
    """Return each sample with mean 0 and standard deviation 1."""
    std, mean = torch.std_mean(x.flatten(1), dim=1)
    shape = [-1, *[1] * (x.ndim - 1)]
    return (x - mean.view(shape)) / (std.view(shape) + SILENCE)
