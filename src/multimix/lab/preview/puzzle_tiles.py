"""What Puzzle Mix looked at, kept and moved, as pictures."""

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from multimix import MultiMix, Plan
from multimix.lab.preview.tiles import Point, Tile

COLOURS = ("tab:orange", "tab:cyan")  # moves of the sample's cells, of the partner's


@runtime_checkable
class Blocks(Protocol):
    """The library's mask of blocks, as far as it is drawn here."""

    kept: Tensor
    whole: int
    rows: Tensor
    columns: Tensor
    source: Tensor | None

    @property
    def cells(self) -> tuple[int, int]:
        """Number of cells downwards and across."""

    def share(self) -> Tensor:
        """Return what is kept, position by position."""


def local_contrast(x: Tensor) -> Tensor:
    """Stands in for a model's gradient where there is no model: squared differences, smoothed. (B, *spatial)."""
    changes = [x.diff(dim=axis, append=x.narrow(axis, -1, 1)) for axis in range(2, x.ndim)]
    contrast = torch.stack([change.square() for change in changes]).sum(0).mean(1, keepdim=True)
    side = max(1, min(x.shape[2:]) // 8) // 2 * 2 + 1
    if x.ndim == 3:
        return F.avg_pool1d(contrast, side, stride=1, padding=side // 2, count_include_pad=False)[:, 0]
    for kernel in ((side, 1), (1, side)):  # one way, then the other: a square window takes a minute of large pictures
        padding = kernel[0] // 2, kernel[1] // 2
        contrast = F.avg_pool2d(contrast, kernel, stride=1, padding=padding, count_include_pad=False)
    return contrast[:, 0]


def in_place_of_a_model(mix: MultiMix, x: Tensor) -> Tensor | None:
    """Return the saliency that a method would ask a model for; None if it asks none."""
    return local_contrast(x) if any(method.asks_model for method in mix.method.options) else None


def puzzle_tiles(plan: Plan, mask: Blocks, saliency: Tensor, path: Tensor) -> list[Tile]:
    """Return a row of saliency, masks and saliency; and, if blocks move, a row of what moves where."""
    height, width = path.shape[-2:]
    share = mask.share()[:, 0].float() / mask.whole
    bright = (saliency / saliency.amax((1, 2), keepdim=True).clamp_min(1e-12)).sqrt()
    lam = plan.lam[:, 0].tolist()
    masks = [Tile(m[None], f"mask {k + 1}\nlam {lam[k]:.2f}", framed=True) for k, m in enumerate(share)]
    tiles = [Tile(bright[:1], "saliency of x"), *masks, Tile(bright[1:], "saliency of x′")]
    if mask.source is None:
        return tiles
    moves = [Tile(0.35 * share[k][None] + 0.4, "moves\n" + _count(a := _arrows(mask, k)), a) for k in range(len(share))]
    blank = Tile(share.new_ones(1, height, width), "")
    return [*tiles, blank, *moves, blank]


def _count(arrows: list[tuple[Point, Point, str]]) -> str:
    own = sum(colour == COLOURS[0] for *_, colour in arrows)
    return f"{own} of x, {len(arrows) - own} of x′"


def _arrows(mask: Blocks, k: int) -> list[tuple[Point, Point, str]]:
    """Every visible cell that shows another one's pixels."""
    assert mask.source is not None
    down, across = mask.cells
    middle_y, middle_x = ((edges[:-1] + edges[1:] - 1) / 2 for edges in (mask.rows, mask.columns))
    kept = mask.kept[k, 0].repeat_interleave(down // mask.kept.shape[2], 0)
    kept = kept.repeat_interleave(across // mask.kept.shape[3], 1).flatten()
    arrows = []
    for which, visible in enumerate((kept > 0, kept < mask.whole)):
        for place, cell in enumerate(mask.source[k, 0, which].tolist()):
            if visible[place] and cell != place:
                start, end = ((float(middle_x[c % across]), float(middle_y[c // across])) for c in (cell, place))
                arrows.append((start, end, COLOURS[which]))
    return arrows
