"""Puzzle Mix: each block from the image that is salient there."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor, nn

from multimix.grid import cell_counts, cell_edges, cut
from multimix.host import in_transform
from multimix.masks import Blocks, kept_blocks
from multimix.methods.method import Method
from multimix.methods.step import Step, check_saliency_source, checked_alpha, checked_criterion
from multimix.puzzle.energy import block_saliency, pair_energy, thresholds
from multimix.puzzle.saliency import input_saliency
from multimix.puzzle.solve import solve_levels
from multimix.puzzle.transport import transport
from multimix.puzzle.where import CPU, moved_together, solved_here
from multimix.scalars import as_integer, as_number
from multimix.shapes import spatial_shape

TRANSPORTS = (True, False, "exact")


@dataclass(frozen=True)
class PuzzleMix(Method):
    """Choose every block of the mix from the image that is salient there, and move salient blocks to where they show.

    Block masks minimise lost saliency, borders and a prior of lam; one solve per pair gives all K, nested. Images, (B,
    C, H, W), and series, (B, L) or (B, C, L), of any size and number of channels: a grid of n cuts every spatial axis
    into n blocks whose sizes differ by at most one. Labels weigh the positions really kept.

    In brackets the name in the authors' code, and what it uses on CIFAR-100 / Tiny-ImageNet / ImageNet.

    Args:
        alpha: shape of the Beta(alpha, alpha) law of the coefficients, > 0 (`mixup_alpha`: 1 / 1 / 1).
        beta: smoothness of masks, >= 0 (1.2 / 1.2 / 1.5).
        gamma: how far borders avoid places where the images do not fit together, 0 to 1 (0.5 / 0.5 / 0.5).
        eta: weight of the prior that makes masks keep a share of about lam, >= 0 (0.2 / 0.2 / 0.2).
        grid: blocks per axis, one or several; one is drawn per batch of those not finer than the shorter axis
            (`block_num`: 2, 4, 8 or 16 / the same / the same).
        neighbourhood: positions compared on each side of a border (`neigh_size`: 4 / 4 / 2).
        transport: move blocks: True for the authors' auction, `"exact"` for the best assignment (milliseconds per
            mix, on the CPU), False for none.
        transport_cost: price of a move across the whole grid, in shares of an image's saliency (`t_eps`: 0.8).
        transport_size: side in positions of what is moved; None: the mask's own blocks (`t_size`: 4 / own blocks / own
            blocks).
        levels: 3: a block may be half of each image; 2: it is of one (`n_labels`: 3 / 3 / 3). Both are exact;
            3 had the lower error where they were compared (docs/puzzle-mix.md), 2 has masks in less time.
        criterion: the loss whose gradient is the saliency.
        saliency_chunk: rows at a time when the gradient is taken; None: all.
        saliency_resolution: 0.5 takes it from images of half the size, at a quarter of the cost.

    Raises:
        ValueError: if a setting is out of range.

    References:
        Kim et al., 2020, Puzzle Mix, arXiv 2009.06962.
    """

    alpha: float = 1.0
    beta: float = 1.2
    gamma: float = 0.5
    eta: float = 0.2
    grid: int | Sequence[int] = (2, 4, 8, 16)
    neighbourhood: int = 4
    transport: bool | str = True
    transport_cost: float = 0.8
    transport_size: int | None = None
    levels: int = 3
    criterion: Callable[[Any, Tensor], Tensor] = F.cross_entropy
    saliency_chunk: int | None = None
    saliency_resolution: float = 1.0
    blends: ClassVar[bool] = True
    cuts: ClassVar[bool] = True
    salient: ClassVar[bool] = True
    asks_model: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", checked_alpha("PuzzleMix", self.alpha))
        checked_criterion(self.criterion)
        object.__setattr__(self, "grid", _as_grid(self.grid))
        for name, most in (("beta", math.inf), ("eta", math.inf), ("transport_cost", math.inf), ("gamma", 1.0)):
            object.__setattr__(self, name, _checked_number(name, getattr(self, name), most))
        for name in ("neighbourhood", "transport_size", "saliency_chunk"):
            size = _checked_size(name, getattr(self, name), optional=name != "neighbourhood")
            object.__setattr__(self, name, size)
        if not any(self.transport is option or self.transport == option for option in TRANSPORTS):
            raise ValueError(f'transport must be True, False or "exact", got transport={self.transport!r}')
        levels, resolution = as_integer(self.levels), as_number(self.saliency_resolution)
        if levels not in (2, 3):
            raise ValueError(f"levels must be 2 or 3, got levels={self.levels!r}; only these are solved exactly")
        if resolution is None or not 0 < resolution <= 1:
            raise ValueError(
                f"saliency_resolution must lie in (0, 1], got saliency_resolution={self.saliency_resolution!r}; try 0.5"
            )
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "saliency_resolution", resolution)

    def check_input(self, x: Tensor, y: Tensor | None, model: nn.Module | None, saliency: Tensor | None) -> None:
        """Refuse a batch that cannot be mixed, and one whose saliency cannot be found.

        Raises:
            ValueError: if x is neither series nor images or is complex, no grid fits, saliency, and model or targets,
                are missing, or a transform of torch.func runs this.
        """
        self._grids(x)
        super().check_input(x, y, model, saliency)
        if in_transform():
            raise ValueError(
                "PuzzleMix must be planned outside of transforms of torch.func, got a call inside of one; draw "
                "plan = mix.plan(x, y, ...) before, and use mix.apply(plan, x, y) inside"
            )
        if x.dtype.is_complex:
            raise ValueError(
                f"x must be real, because PuzzleMix compares images along borders, got x.dtype={x.dtype}; give real "
                f"and imaginary parts as channels, or mix with MixUp or CutMix"
            )
        check_saliency_source("PuzzleMix", x, y, model, saliency)

    def find_saliency(self, x: Tensor, y: Tensor | None, model: nn.Module | None) -> Float[Tensor, "B *spatial"]:
        """Saliency of a batch, from the model."""
        assert y is not None
        assert model is not None
        return input_saliency(
            model, x, y, self.criterion, chunk_size=self.saliency_chunk, resolution=self.saliency_resolution
        )

    def mask(self, step: Step) -> Blocks:
        """K nested masks per pair, and where each visible block comes from."""
        assert step.saliency is not None
        x, grids = step.x.detach(), self._grids(step.x)
        rows, columns = cut(step.spatial, grids[int(step.streams.batch.integers(len(grids)))])
        size = self.transport_size if self.transport else None
        down, across = (axis if size is None else axis.divided(size) for axis in (rows, columns))
        here = self._solved_on(x.device, rows.total * columns.total, down.total * across.total)
        limits = self._limits(step, rows.total * columns.total)
        limits = step.tensors(limits.numpy())[0] if here else limits
        sample, partner = torch.arange(len(x), device=x.device), step.partner
        if fresh := partner.ndim == 2:  # every mix has pairs of its own
            sample, partner = sample.repeat(len(partner)), partner.flatten()
        importance = block_saliency(step.saliency, rows, columns)
        own = sample if fresh else None
        energy = pair_energy(x, importance, own, partner, rows, columns, self.beta, self.gamma, self.neighbourhood)
        if size is not None:
            importance = block_saliency(step.saliency, down, across)
        terms = [energy.gain, energy.right, energy.down, importance, sample, partner]
        if not here:
            terms = moved_together(terms, CPU)  # the only wait of a plan
        kept, *sources = moved_together(self._solved(limits, *terms), x.device)
        mixes = len(step.lam)
        kept = kept.view(mixes, len(x), *kept.shape[2:])
        source = sources[0].view(mixes, len(x), 2, -1) if sources else None
        edges = cell_edges(down, x.device), cell_edges(across, x.device)
        whole = self.levels - 1
        weight = kept_blocks(kept, cell_counts(rows, columns, x.device), whole * math.prod(step.spatial))
        return step.weighed(Blocks(kept, whole, *edges, source, step.spatial), weight)

    def _solved_on(self, device: torch.device, blocks: int, places: int) -> bool:
        """Whether masks and moves are found on a device, for which the host need not wait."""
        here = solved_here(device, max(blocks, places))
        return here and self.transport != "exact"

    def _limits(self, step: Step, blocks: int) -> Float64[Tensor, "K1 P"]:
        """Return the thresholds of every pair, and last what they are spread by with three levels; on the CPU."""
        lam = torch.from_numpy(step.lam).expand(-1, len(step.x))
        if step.drawn.ndim == 2:  # one threshold for each pair
            lam = lam.reshape(1, -1)
        spread = lam.new_full((1, lam.shape[1]), self.eta / blocks * math.log(2))
        return torch.cat([thresholds(lam, self.eta, blocks), spread])

    def _solved(
        self,
        limits: Tensor,
        gain: Tensor,
        right: Tensor,
        down: Tensor,
        saliency: Tensor,
        sample: Tensor,
        partner: Tensor,
    ) -> list[Tensor]:
        """Return the masks, as integers from 0 to `levels - 1`; and the block shown at each place, if blocks move."""
        kept = solve_levels(gain, right, down, limits[:-1], limits[-1] if self.levels == 3 else None)
        if not self.transport:
            return [kept]
        rule = "exact" if self.transport == "exact" else "auction"
        return [kept, transport(kept, self.levels - 1, saliency, sample, partner, self.transport_cost, rule)]

    def _grids(self, x: Tensor) -> list[int]:
        """Return the grids that fit."""
        assert isinstance(self.grid, tuple)
        spatial = spatial_shape(x)
        if not 1 <= len(spatial) <= 2:
            raise ValueError(
                f"PuzzleMix mixes series and images, got x: {tuple(x.shape)}; "
                f"give x as (B, L), (B, C, L) or (B, C, H, W)"
            )
        fitting = [n for n in self.grid if n <= min(spatial)]
        if not fitting:
            raise ValueError(
                f"grid must hold a number of blocks not above the shorter axis ({min(spatial)}), got grid={self.grid} "
                f"for spatial axes {tuple(spatial)}; try PuzzleMix(grid={min(spatial)})"
            )
        return fitting


def _as_grid(grid: object) -> tuple[int, ...]:
    sizes = [as_integer(n) for n in (grid if isinstance(grid, Sequence) else (grid,))]
    counts = tuple(n for n in sizes if n is not None and n >= 1)
    if not counts or len(counts) < len(sizes):
        raise ValueError(
            f"grid must be one or more integers >= 1, got grid={grid!r}; try PuzzleMix(grid=(2, 4, 8, 16))"
        )
    return counts


def _checked_number(name: str, value: object, most: float) -> float:
    number = as_number(value)
    if number is None or not (math.isfinite(number) and 0 <= number <= most):
        limits = "a finite number >= 0" if most == math.inf else f"a number from 0 to {most:g}"
        why = "; above it masks have no exact solution" if name == "gamma" else ""
        raise ValueError(f"{name} must be {limits}, got {name}={value!r}{why}")
    return number


def _checked_size(name: str, value: object, optional: bool) -> int | None:
    if optional and value is None:
        return None
    size = as_integer(value)
    if size is None or size < 1:
        raise ValueError(f"{name} must be an integer >= 1{' or None' if optional else ''}, got {name}={value!r}")
    return size
