"""Everything random about one step, drawn before anything is computed."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, SupportsIndex

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from multimix.masks import Mask, sides
from multimix.scalars import as_integer


@dataclass(frozen=True)
class Plan:
    """The random part of one step: P pairs, K mixes of each.

    Applying a plan is deterministic, so a plan can be replayed, looked at, split, or shared by several inputs.

    Attributes:
        lam: drawn coefficients, on the CPU, non-increasing along K; the weight of the sample itself.
        weight: shares really kept, on the batch's device: the label weights. Non-increasing along K, but for
            independent boxes, and for SaliencyMix and Puzzle Mix with fresh partners.
        partner: the sample each pair mixes with: (P,), or (K, P) with fresh partners.
        mask: what is kept, position by position; `weight` is its mean.
        batch_size: number of samples B in the batch this plan is for.
        sample: the sample each pair keeps; None: pair i keeps sample i (P = B).
        layer: name of the module whose input is mixed; None or `""`: the model's input.
    """

    lam: Float64[Tensor, "K P"]
    weight: Float32[Tensor, "K P"]
    partner: Int64[Tensor, "P"] | Int64[Tensor, "K P"]
    mask: Mask
    batch_size: int
    sample: Int64[Tensor, "P"] | None = None
    layer: str | None = None

    @property
    def num_mixes(self) -> int:
        """K, the number of mixes per pair."""
        return self.weight.shape[0]

    @property
    def num_pairs(self) -> int:
        """P, the number of pairs."""
        return self.weight.shape[1]

    def split(self, n: SupportsIndex) -> list["Plan"]:
        """Cut the plan into n plans over disjoint pairs, for micro-batches within the memory of K = 1.

        Each part is applied to the **whole** batch and gives the rows of its own pairs (mix-major within the part).
        Together the parts give the rows of the whole plan. To get its gradient, weight each part's mean loss by
        `part.num_pairs / plan.num_pairs`. Batch norm in training mode sees one part at a time: its statistics, and
        so the gradient, are those of smaller batches. Mixing inside a model runs the layers below on the part's
        samples and its partners, hence twice per pair.

        Args:
            n: number of parts, >= 1; P parts where there are fewer pairs, as in a short last batch. Sizes differ by at
                most one.

        Raises:
            ValueError: if n is no integer >= 1.
        """
        parts = as_integer(n)
        if parts is None or parts < 1:
            raise ValueError(f"n must be an integer >= 1, got n={n!r}; split(1) is the plan as a whole")
        parts = min(parts, self.num_pairs)
        devices = torch.device("cpu"), self.weight.device  # lam stays on the CPU, so no index need come back
        host, pairs = (torch.arange(self.num_pairs, device=device).tensor_split(parts) for device in devices)
        return [self._select(part, on_host) for part, on_host in zip(pairs, host, strict=True)]

    def select(self, pairs: Tensor) -> "Plan":
        """Return the plan of some of the pairs, applied to the whole batch like a part of `split`.

        Args:
            pairs: their numbers, (P2,) integers from 0 to P - 1, on the plan's device; a GPU's are waited for.

        Raises:
            TypeError: if pairs is no tensor.
            ValueError: if it holds no such numbers.
        """
        if not isinstance(pairs, Tensor):
            raise TypeError(f"pairs must be a torch.Tensor, got pairs={type(pairs).__name__}; use torch.as_tensor")
        if pairs.ndim != 1 or pairs.dtype.is_floating_point or pairs.dtype.is_complex or pairs.dtype == torch.bool:
            raise ValueError(
                f"pairs must be integers of one axis, got pairs: {tuple(pairs.shape)}, {pairs.dtype}; "
                f"of a mask give mask.nonzero()[:, 0]"
            )
        on_host = pairs.to("cpu", torch.int64)
        low, high = (int(number) for number in torch.aminmax(on_host)) if len(on_host) else (0, 0)
        if low < 0 or high >= self.num_pairs:
            raise ValueError(
                f"pairs must be numbers of pairs, 0..{self.num_pairs - 1}, got {low} to {high}; correct them"
            )
        return self._select(pairs.long(), on_host)

    def _select(self, pairs: Tensor, on_host: Tensor) -> "Plan":
        return replace(
            self,
            lam=self.lam[:, on_host],
            weight=self.weight[:, pairs],
            partner=self.partner[..., pairs],
            mask=self.mask.select(pairs),
            sample=pairs if self.sample is None else self.sample[pairs],
        )

    def copy_(self, other: "Plan") -> "Plan":
        """Fill this plan with another one's numbers, in place: what reads its memory, a CUDA graph say, mixes by those.

        Args:
            other: of the same method, K, P, sizes (of Puzzle Mix also the grid), layer and device; it is left as it is.

        Returns:
            This plan.

        Raises:
            ValueError: if the two differ in more than their numbers; then nothing was copied.
        """
        tensors = list(_tensors_alike("other", self, other))
        for mine, its in tensors:
            mine.copy_(its)
        if hasattr(self.mask, "ends"):  # which passes the numbers need
            object.__setattr__(self.mask, "ends", other.mask.ends)  # type: ignore[attr-defined]
        return self

    def gather(self) -> tuple[Int64[Tensor, "R"], "Plan"]:
        """Return the rows of the batch this plan needs, and the same plan for a batch of just those rows."""
        rows = torch.arange(self.batch_size, device=self.weight.device)
        if self.sample is None:
            return rows, self
        rows = torch.cat([self.sample, self.partner.flatten()])
        place = torch.arange(len(rows), device=rows.device)
        partner = place[self.num_pairs :].reshape(self.partner.shape)
        return rows, replace(self, batch_size=len(rows), sample=place[: self.num_pairs], partner=partner)

    def loss(
        self,
        criterion: Callable[..., Tensor],
        output: Tensor,
        y: Tensor,
        *,
        dense_targets: bool = False,
        ignore_index: SupportsIndex | None = None,
    ) -> Float[Tensor, ""]:
        """Return the mixed loss for criteria that take no soft labels; of any target of the batch, also of several.

        The mean over the K * P rows of `weight * criterion(output, y) + (1 - weight) * criterion(output, y[partner])`,
        in the type of the criterion's losses, at least float32. At a weight of 0 or 1 the other target does not enter.

        Args:
            criterion: a function that takes `reduction="none"` (such as `F.cross_entropy`), also among its keyword
                arguments, or a module built with it; it must give one loss per row, or one per element with the rows
                first.
            output: the model's output, K * P rows, mix-major.
            y: the original targets of the whole batch, B rows.
            dense_targets: y's trailing axes are x's spatial axes and follow the pixels: each position has its own
                weight, the mask's, and losses must be one per position.
            ignore_index: an integer target that does not count: the mean is weighted over all others. The criterion
                does not see it. 0 if nothing counts.

        Raises:
            TypeError: if output or y is no tensor.
            ValueError: if rows or positions do not match, or the criterion reduces its losses.
        """
        for name, value in {"output": output, "y": y}.items():
            if not isinstance(value, Tensor):
                raise TypeError(f"{name} must be a torch.Tensor, got {name}={type(value).__name__}")
        rows = self.num_mixes * self.num_pairs
        if output.shape[:1] != (rows,) or y.shape[:1] != (self.batch_size,):
            raise ValueError(
                f"output must have {rows} rows (K * P) and y {self.batch_size} (the batch's), got output: "
                f"{tuple(output.shape)}, y: {tuple(y.shape)}; pass the output of the mixed batch and the original y"
            )
        axes = self.mask.spatial or ()
        spatial = axes if dense_targets else ()
        if y.ndim <= len(spatial) or y.shape[y.ndim - len(spatial) :] != spatial:
            raise ValueError(
                f"dense targets must end in x's spatial axes {spatial}, got y: {tuple(y.shape)}; resize the targets or "
                f"pass dense_targets=False"
            )
        ignored = None if ignore_index is None else _checked_ignored(ignore_index, y)
        if axes and not dense_targets and y.ndim > 2 and y.shape[-len(axes) :] == axes:
            raise ValueError(
                f"targets with x's spatial axes {axes} must follow its positions where those are cut, got y: "
                f"{tuple(y.shape)}, dense_targets=False; pass dense_targets=True"
            )
        weight, own, other = sides(self.mask, y, self.sample, self.partner) if spatial else self._rows(y)
        if not (y.dtype.is_floating_point or y.dtype.is_complex or y.dtype == torch.bool):
            own, other = own.long(), other.long()  # the only classes that torch's losses take
        criterion = _unreduced(criterion)
        kept, taken = (criterion(output, _without(side, ignored)) for side in (own, other))
        if kept.ndim == 0 or kept.shape[0] != rows or kept.shape[kept.ndim - len(spatial) :] != spatial:
            each = f"position ({rows}, ..., {', '.join(map(str, spatial))})" if spatial else f"row ({rows})"
            raise ValueError(
                f"criterion must give one loss per {each}, got shape {tuple(kept.shape)}; build it with "
                f'reduction="none"'
            )
        weight = weight.to(torch.promote_types(kept.dtype, torch.float32))
        weight = weight.reshape(rows, *[1] * (kept.ndim - 1 - len(spatial)), *spatial)
        if ignored is None:
            mixed = weight * kept + (1 - weight) * taken
            return torch.where((weight == 0) | (weight == 1), kept.to(mixed.dtype), mixed).mean()
        if kept.shape != own.shape:
            raise ValueError(
                f"criterion must give one loss per target where some are ignored, got losses: {tuple(kept.shape)}, "
                f'targets: {tuple(own.shape)}; build it with reduction="none"'
            )
        shares = weight * (own != ignored), (1 - weight) * (other != ignored)
        losses = [torch.where(share > 0, share * part, 0) for share, part in zip(shares, (kept, taken), strict=True)]
        counted = (shares[0] + shares[1]).sum()
        return (losses[0] + losses[1]).sum() / counted.clamp_min(torch.finfo(counted.dtype).tiny)

    def _rows(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights of the rows, their own targets and the other ones; at the ends both are the one that is shown.

        There the other's loss, or its gradient, may be infinite, and 0 * inf is nan.
        """
        weight = self.weight.flatten()
        own = torch.arange(self.num_pairs, device=weight.device) if self.sample is None else self.sample
        own, partner = own.repeat(self.num_mixes), self.partner.expand(self.num_mixes, -1).flatten()
        return weight, y[torch.where(weight == 0, partner, own)], y[torch.where(weight == 1, own, partner)]


def _checked_ignored(ignore_index: SupportsIndex, y: Tensor) -> int:
    index = as_integer(ignore_index)
    if index is None or not -(2**63) <= index < 2**63 or y.dtype.is_floating_point or y.dtype == torch.bool:
        raise ValueError(
            f"ignore_index must be an integer, and y integer classes, got ignore_index={ignore_index!r}, y.dtype="
            f"{y.dtype}; leave ignore_index away for other targets"
        )
    return index


def _without(y: Tensor, ignored: int | None) -> Tensor:
    """Return targets with a class in place of what is ignored, which may be none."""
    return y if ignored is None else y.masked_fill(y == ignored, 0)


def _tensors_alike(name: str, mine: Any, its: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """The tensors of a plan, or of a part of one, beside those of another; what is no tensor must be the same."""
    if is_dataclass(mine) and type(mine) is type(its):
        for field in fields(mine):
            if field.name != "ends":
                yield from _tensors_alike(f"{name}.{field.name}", getattr(mine, field.name), getattr(its, field.name))
    elif isinstance(mine, tuple) and isinstance(its, tuple) and len(mine) == len(its):
        for part, its_part in zip(mine, its, strict=True):
            yield from _tensors_alike(name, part, its_part)
    elif (got := _described(its)) != (here := _described(mine)):
        raise ValueError(
            f"other must differ from this plan in its numbers alone, got {name}={got}, here {here}; keep a plan "
            f"to copy to for each method, K, P, grid and device"
        )
    elif isinstance(mine, Tensor):
        yield mine, its


def _described(value: object) -> object:
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)}, {value.dtype}, on {value.device}"
    return type(value).__name__ if is_dataclass(value) else value


def _unreduced(criterion: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the criterion, with `reduction="none"` passed where it is a plain function that takes it."""
    if isinstance(criterion, torch.nn.Module) or not _takes_reduction(criterion):
        return criterion
    return lambda output, y: criterion(output, y, reduction="none")


def _takes_reduction(criterion: Callable[..., Tensor]) -> bool:
    try:
        parameters = inspect.signature(criterion).parameters.values()
    except (TypeError, ValueError):  # some builtins have no signature
        return False
    return any(each.name == "reduction" or each.kind is each.VAR_KEYWORD for each in parameters)


# As in kernels/family.py: torch.compile looks at the criterion here and now; traced, its own losses have no signature.
_takes_reduction._dynamo_marked_constant = True  # type: ignore[attr-defined]
