"""Series below each other, every line in the colour of the sample it comes from."""

from itertools import pairwise

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from multimix.lab.preview.path import Path

WIDTH_INCHES = 9
PANEL_INCHES = 0.95
X_COLOUR, PARTNER_COLOUR = "tab:blue", "tab:orange"
LEVELS = 16  # steps of colour between the two


def draw_lines(path: Path, labels: list[str], title: str, across: tuple[str, float]) -> Figure:
    """Return a figure with a panel for x, each mix, and its partner."""
    count = len(path.samples)
    figure = Figure(figsize=(WIDTH_INCHES, PANEL_INCHES * count + 0.8), layout="constrained")
    figure.suptitle(title, fontsize=11)
    panels = figure.subplots(count, sharex=True, sharey=True, squeeze=False)[:, 0]
    positions = np.linspace(0, across[1], path.samples.shape[-1], endpoint=False)
    for axes, sample, share, label in zip(panels, path.samples.numpy(), path.shares.numpy(), labels, strict=True):
        for start, end, level in runs(share):
            part = slice(start, min(end + 1, len(share)))  # on to the next one, so that the line is whole
            axes.plot(positions[part], sample[:, part].T, color=_colour(level), linewidth=0.8)
            if start > 0:
                axes.axvline(positions[start], color="0.4", linewidth=0.8, linestyle=":")
        axes.margins(x=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
        axes.set_title(label.replace("\n", ":  "), loc="left", fontsize=8.5, pad=3)
    panels[-1].set_xlabel(across[0], fontsize=8.5)
    return figure


def runs(share: np.ndarray) -> list[tuple[int, int, float]]:
    """Return where the share of x stays the same, to a step of colour: first moment, one past the last, share."""
    levels = np.rint(share * LEVELS).astype(int)
    edges = [0, *(np.flatnonzero(np.diff(levels)) + 1).tolist(), len(levels)]
    return [(start, end, levels[start] / LEVELS) for start, end in pairwise(edges)]


def _colour(share: float) -> tuple[float, ...]:
    own, other = np.array(to_rgb(X_COLOUR)), np.array(to_rgb(PARTNER_COLOUR))
    return tuple((share * own + (1 - share) * other).tolist())
