"""timm: `timm.data.Mixup` with K mixes per pair. timm itself is not needed."""

from dataclasses import replace

import torch
from torch import Tensor

from multimix import Choice, CutMix, MixUp, MultiMix, Plan
from multimix.checks import check_batch, check_targets, checked_count
from multimix.masks import Boxes, Constant
from multimix.once import note_mixed
from multimix.scalars import as_number
from multimix.shapes import memory_format
from multimix.streams import open_streams
from multimix.suggest import check_option

MODES = ("batch", "elem")


class Mixup:
    """A drop-in for `timm.data.Mixup`: the same arguments and laws of the draws, and `num_mixes`.

    Different on purpose: the input is left as it is; batches may be odd; soft and multi-label targets (B, C) are
    taken; partners are drawn instead of read from the end of the batch; all draws come from torch's global generator,
    none from numpy's; boxes cut series and volumes along their own axes.

    Args:
        mixup_alpha: Beta law of mixup; 0 switches it off.
        cutmix_alpha: Beta law of CutMix; 0 switches it off.
        cutmix_minmax: refused; the drawn coefficient sets the size of a box here.
        prob: the probability that a batch, or in mode `"elem"` a sample, is mixed at all. A batch that is not comes
            back once; a sample that is not comes back K times among the others.
        switch_prob: the probability of CutMix where both are on.
        mode: `"batch"` (one method, coefficient and box for all) or `"elem"` (each its own). `"pair"` is refused.
        correct_lam: must be True: labels follow the pixels.
        label_smoothing: mass spread evenly over the classes; with multi_label, each label is pulled towards 0.5.
        num_classes: C.
        multi_label: targets are (B, C), each class for itself.
        num_mixes: K, the number of mixes per pair; K * B rows come out.

    Attributes:
        mixup_enabled: set it to False to get batches back unmixed, their targets still soft and smoothed.

    Raises:
        ValueError: if an argument is out of range or cannot be honoured.
    """

    mixup_enabled = True

    def __init__(
        self,
        mixup_alpha: float = 1.0,
        cutmix_alpha: float = 0.0,
        cutmix_minmax: object = None,
        prob: float = 1.0,
        switch_prob: float = 0.5,
        mode: str = "batch",
        correct_lam: bool = True,
        label_smoothing: float = 0.1,
        num_classes: int = 1000,
        multi_label: bool = False,
        *,
        num_mixes: int = 1,
    ) -> None:
        _check_honoured(cutmix_minmax, mode, correct_lam)
        for name, value in {"prob": prob, "switch_prob": switch_prob, "label_smoothing": label_smoothing}.items():
            share = as_number(value)
            if share is None or not 0 <= share <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {name}={value!r}")
        alphas = [number for alpha in (mixup_alpha, cutmix_alpha) if (number := as_number(alpha)) is not None]
        if len(alphas) < 2 or min(alphas) < 0 or max(alphas) == 0:
            raise ValueError(
                f"mixup_alpha and cutmix_alpha must be >= 0 and not both 0, got mixup_alpha={mixup_alpha!r}, "
                f"cutmix_alpha={cutmix_alpha!r}; set mixup_enabled=False to switch mixing off"
            )
        if not isinstance(multi_label, bool):
            raise ValueError(
                f"multi_label must be True or False, got multi_label={multi_label!r}; give the number of mixes by "
                f"name, num_mixes=5"
            )
        self.label_smoothing = label_smoothing
        self.num_classes = checked_count("num_classes", num_classes)
        self.num_mixes = checked_count("num_mixes", num_mixes)
        self.multi_label = multi_label
        self.mode = mode
        self.prob = prob
        self.cutmix_share = 0.0 if cutmix_alpha == 0 else 1.0 if mixup_alpha == 0 else switch_prob
        self.mixup = MixUp(mixup_alpha or 1.0)
        self.cutmix = CutMix(cutmix_alpha or 1.0)

    def __call__(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mix a batch.

        Returns:
            x_mix (K * B, ...) and its targets (K * B, C), mix-major: row `k * B + i` is mix k of sample i.

        Raises:
            ValueError: if x and target do not fit each other or num_classes.
            TypeError: if either is no tensor.
        """
        check_batch(x, target)
        self._check_target(x, target)
        x_mix, y_mix = self.apply(self.draw(x), x, target)
        return note_mixed(x_mix, "Mixup"), y_mix

    def __repr__(self) -> str:
        settings = "num_mixes", "num_classes", "mode", "prob", "cutmix_share", "label_smoothing", "multi_label"
        return (
            f"Mixup({self.mixup}, {self.cutmix}, {', '.join(f'{name}={getattr(self, name)!r}' for name in settings)})"
        )

    def draw(self, x: Tensor) -> list[Plan]:
        """Plans over disjoint samples that make up a step: one in mode `"batch"`, up to three in mode `"elem"`."""
        if not self.mixup_enabled:
            return [self._all("none").plan(x)]
        if self.mode == "elem":
            return self._draw_elements(x)
        cutmix = self.prob * self.cutmix_share
        weights = [self.prob - cutmix, cutmix, 1 - self.prob]
        choice = Choice([self.mixup, self.cutmix, "none"], weights)
        return [self._all(choice, share="batch").plan(x)]

    def apply(self, plans: list[Plan], x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mix as planned, and smooth the targets."""
        mix = self._all("none")
        if self.multi_label or target.dtype == torch.bool:
            target = target.float()
        mixed = [mix.apply(plan, x, target) for plan in plans]
        x_mix = _in_order(plans, [rows for rows, _ in mixed], len(x))
        y_mix = _in_order(plans, [rows for _, rows in mixed if rows is not None], len(x))
        return x_mix, torch.lerp(y_mix, torch.full_like(y_mix, self._even), self.label_smoothing)

    @property
    def _even(self) -> float:
        """What smoothing pulls every target towards."""
        return 0.5 if self.multi_label else 1 / self.num_classes

    def _all(self, method: MixUp | CutMix | Choice | str, share: str = "pair") -> MultiMix:
        return MultiMix(method, num_mixes=self.num_mixes, num_classes=self.num_classes, share=share)

    def _draw_elements(self, x: Tensor) -> list[Plan]:
        """Each sample by its own method: the plans of both for all, of which each sample keeps one."""
        mixed, cut = torch.from_numpy(open_streams(None).pairs.random((2, len(x))))
        is_mixed, is_cut = mixed < self.prob, cut < self.cutmix_share
        drawn = ([self.mixup] if self.cutmix_share < 1 else []) + ([self.cutmix] if self.cutmix_share > 0 else [])
        plan, *_ = plans = [self._all(method).plan(x) for method in drawn]
        cut_plan = replace(plans[-1], partner=plan.partner)
        ones = torch.ones_like(plan.weight)
        mask = plan.mask  # of boxes: empty ones, as values that are not averaged may be integers
        mask = replace(mask, high=mask.low) if isinstance(mask, Boxes) else Constant(ones)
        unmixed = replace(plan, lam=torch.ones_like(plan.lam), weight=ones, mask=mask)
        rows = ((plan, is_mixed & ~is_cut), (cut_plan, is_mixed & is_cut), (unmixed, ~is_mixed))
        return [p if mine.all() else p.select(mine.nonzero()[:, 0].to(x.device)) for p, mine in rows if mine.any()]

    def _check_target(self, x: Tensor, target: Tensor) -> None:
        dense = target.is_floating_point() or target.dtype == torch.bool or self.multi_label
        if dense and target.shape != (len(x), self.num_classes):
            raise ValueError(
                f"target must be class indices ({len(x)},) or (batch, num_classes) = {(len(x), self.num_classes)}, got "
                f"target: {tuple(target.shape)}, {target.dtype}; correct num_classes, multi_label or the targets"
            )
        if not dense:
            check_targets(x, target, self.num_classes, dense=False, ignored=None, cuts=False)


def _check_honoured(cutmix_minmax: object, mode: object, correct_lam: object) -> None:
    if cutmix_minmax is not None:
        raise ValueError(
            f"cutmix_minmax must be None, because the drawn coefficient sets the size of a box, got cutmix_minmax="
            f"{cutmix_minmax!r}; leave it out and choose cutmix_alpha"
        )
    if mode == "pair":
        raise ValueError(
            'mode must be "batch" or "elem", got mode="pair", which shares a coefficient between two samples that are '
            'each other\'s partner; take "elem", where each sample has its own'
        )
    check_option("mode", mode, MODES)
    if correct_lam is not True:
        raise ValueError(
            f"correct_lam must be True (labels follow the pixels), got correct_lam={correct_lam!r}; leave it out"
        )


def _in_order(plans: list[Plan], parts: list[Tensor], batch_size: int) -> Tensor:
    """Return the rows of each plan in one tensor, mix-major over the whole batch."""
    if plans[0].sample is None:
        return parts[0]
    first, num_mixes = parts[0], plans[0].num_mixes
    shape = (num_mixes * batch_size, *first.shape[1:])
    out = torch.empty(shape, dtype=first.dtype, device=first.device, memory_format=memory_format(first))
    by_mix = out.view(num_mixes, batch_size, *first.shape[1:])
    for plan, rows in zip(plans, parts, strict=True):
        assert plan.sample is not None
        by_mix[:, plan.sample] = rows.view(num_mixes, plan.num_pairs, *first.shape[1:])
    return out
