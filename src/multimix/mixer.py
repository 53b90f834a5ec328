"""MultiMix, the entry point of the library."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Never

import numpy as np
import torch
from torch import Tensor, nn

from multimix import checks
from multimix.blend import blend
from multimix.coefficients import SAMPLINGS, beta_quantile, draw_lam
from multimix.inside import forward_mixed
from multimix.kernels.family import chosen
from multimix.methods import Choice, Method, Step, as_method
from multimix.pairing import PARTNERS, SimilarTargets, draw_fresh_partners, draw_partner, given_partner, of_pairs
from multimix.plan import Plan
from multimix.puzzle.saliency import ignoring
from multimix.shapes import spatial_shape
from multimix.streams import open_streams
from multimix.suggest import check_option
from multimix.targets import mix_targets
from multimix.unknown import refuse_unknown

SHARES = ("pair", "batch")


@dataclass(frozen=True, init=False)
class MultiMix:
    """K mixes of every pair of a batch, an ordered path from each sample towards its partner.

    Immutable and picklable; holds settings only, no state and no random numbers.

    Args:
        method: a method object such as `CutMix(alpha=1.0)`, or its name: `"none"`, `"mixup"`, `"manifold"`,
            `"cutmix"`, `"puzzlemix"`, `"fmix"`, `"resizemix"`, `"gridmix"`, `"smoothmix"`, `"saliencymix"`,
            `"topmix"`.
        num_mixes: K >= 1, the number of mixes per pair. To keep the cost of a step, load B / K samples.
        num_classes: C, needed to make soft labels from integer classes; None where targets are numbers, one per sample.
        sampling: `"stratified"` (a pair's coefficients lie in K strata of equal probability, and each stratum's draws
            are spread over the batch) or `"iid"`. The law of a coefficient is the same.
        share: `"pair"` (own coefficients and geometry for every pair) or `"batch"` (one path, one box for all).
        partners: `"same"` (one partner per pair), `"fresh"` (a new one per mix: repeated mixup), or
            `SimilarTargets(bandwidth)` (one per pair, chosen by how near their targets are: for regression).
        dense_targets: y's trailing axes are x's spatial axes and follow the pixels.
        ignore_index: an integer target that gets no label mass, such as 255 where a pixel has no class. Then
            `F.cross_entropy(logits, y_mix, reduction="sum") / y_mix.sum()` is the mean over what counts.

    Raises:
        ValueError: if a setting is out of range or unknown.
        TypeError: if method is neither a method nor a name, or a setting is unknown.

    References:
        Shen et al., 2024, Mixup Augmentation with Multiple Interpolations, arXiv 2406.01417, eq. (3)-(5).

    Examples:
        >>> mix = MultiMix(CutMix(alpha=1.0), num_mixes=5, num_classes=100)
        >>> x, y = mix(x, y)  # (B, 3, 32, 32), (B,) -> (5 * B, 3, 32, 32), (5 * B, 100)
    """

    method: Method | Choice
    num_mixes: int
    num_classes: int | None
    sampling: str
    share: str
    partners: str | SimilarTargets
    dense_targets: bool
    ignore_index: int | None

    def __init__(
        self,
        method: Method | Choice | str,
        *,
        num_mixes: int = 5,
        num_classes: int | None = None,
        sampling: str = "stratified",
        share: str = "pair",
        partners: str | SimilarTargets = "same",
        dense_targets: bool = False,
        ignore_index: int | None = None,
        **unknown: Never,
    ) -> None:
        refuse_unknown(unknown, method, [item.name for item in fields(self)])
        chosen()  # refuse kernels that are not there
        num_mixes = checks.checked_mixes(num_mixes)
        if num_classes is not None:
            num_classes = checks.checked_count("num_classes", num_classes)
        check_option("sampling", sampling, SAMPLINGS)
        check_option("share", share, SHARES)
        if not isinstance(partners, SimilarTargets):
            check_option("partners", partners, PARTNERS)
        if ignore_index is not None:
            ignore_index = checks.checked_index(ignore_index)
        settings = {
            "method": as_method(method),
            "num_mixes": num_mixes,
            "num_classes": num_classes,
            "sampling": sampling,
            "share": share,
            "partners": partners,
            "dense_targets": checks.checked_flag("dense_targets", dense_targets),
            "ignore_index": ignore_index,
        }
        for name, value in settings.items():
            object.__setattr__(self, name, value)

    def __call__(
        self,
        x: Tensor,
        y: Tensor,
        *,
        model: nn.Module | None = None,
        saliency: Tensor | None = None,
        out: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw a plan and apply it: `mix.apply(mix.plan(x, y), x, y)`.

        Args:
            x: the batch, (B, ...); never changed.
            y: targets, (B,) integers or (B, ...) floats; never changed.
            model: for methods that need saliency: the model whose gradient gives it.
            saliency: for methods that look at it: importance of each position, (B, *spatial).
            out: a (K * B, ...) buffer to fill with the mixed rows.
            generator: a CPU generator from which one seed is taken; None: torch's global one.

        Returns:
            Mixed rows and their targets, mix-major: row `k * B + i` is mix k of pair i.

        Raises:
            ValueError: if x, y, out or generator do not fit, or the method mixes inside the model.
            TypeError: if x, y or out is no tensor, model no module, or generator none.
        """
        self._check_at_input()
        checks.check_batch(x, y)
        self._check_targets(x, y)
        if out is not None:
            checks.check_out(x, y, out, self.num_mixes * len(x))
        plan = _eager(self._draw)(x, y, model, saliency, generator)
        checks.check_plan(x, plan)
        return self._mixed(plan, x, out), self._targets(plan, x, y)

    def plan(
        self,
        x: Tensor,
        y: Tensor | None = None,
        *,
        model: nn.Module | None = None,
        saliency: Tensor | None = None,
        generator: torch.Generator | None = None,
        partner: Tensor | None = None,
        alpha: Tensor | None = None,
    ) -> Plan:
        """Draw everything random about one step.

        Args:
            x: the batch; only its shape and device matter to most methods.
            y: its targets, checked if given; needed if saliency is to come from the model, or partners from targets.
            model: for methods that need a saliency or the names of layers.
            saliency: for methods that need it.
            generator: a CPU generator from which one seed is taken; None: torch's global one. The step's layer,
                choice and shared draws depend on the seed alone, its pairs on the seed and the rank.
            partner: who mixes with whom, in place of drawing it: the row of x that each sample mixes with, (B,), or
                (K, B) for one per mix.
            alpha: the shape of each pair's Beta law in place of the method's, (B,); or (B, B), of each sample with each
                partner that may be drawn. So pairs can be mixed the more strongly the more similar they are. It is
                read on the host, so an accelerator is waited for.

        Raises:
            ValueError, TypeError: as for calling the object; or if alpha is given where the batch shares its
                coefficients, or to methods whose law is no Beta law.

        References:
            Laws by similarity: Bouniot et al., 2025, Tailoring Mixup to Data for Calibration, arXiv 2311.01434.
        """
        checks.check_batch(x, y)
        if y is not None and not (isinstance(self.partners, SimilarTargets) and partner is None):
            self._check_targets(x, y)  # else y may be features, of which no labels need be made
        if partner is not None:
            checks.check_partner(x, partner, self.num_mixes)
        if alpha is not None:
            self._check_alpha(x, alpha, partner)
        drawn: Plan = _eager(self._draw)(x, y, model, saliency, generator, partner, alpha)
        return drawn

    def _draw(
        self,
        x: Tensor,
        y: Tensor | None,
        model: nn.Module | None,
        saliency: Tensor | None,
        generator: torch.Generator | None,
        given: Tensor | None = None,
        alpha: Tensor | None = None,
    ) -> Plan:
        if model is not None:
            checks.check_model(model)
        self._check_methods(x, y, model, saliency)
        if isinstance(self.partners, SimilarTargets) and given is None:
            self.partners.check(y)
        streams = open_streams(generator)
        method = self.method.pick(streams)
        layer = None
        if method.inside:
            names = method.layer_names(model)
            layer = names[int(streams.batch.integers(len(names)))]
        shared = self.share == "batch"
        columns = 1 if shared else len(x)
        num_mixes = method.mixes_of(self.num_mixes)
        partner = self._partners(num_mixes, x, y, streams.pairs) if given is None else given_partner(given, num_mixes)
        rng = streams.batch if shared else streams.pairs
        quantile = partial(method.quantile, axes=len(spatial_shape(x)))
        if alpha is not None and method.has_beta_law:
            quantile = partial(beta_quantile, of_pairs(alpha, partner))
        lam = draw_lam(quantile, num_mixes, columns, self.sampling, rng)
        if saliency is None and method.salient:
            saliency = method.find_saliency(x, ignoring(y, self.ignore_index, method), model)
            checks.check_saliency(saliency, x)
        step = Step(x, partner, lam, streams, shared, saliency)
        mask = method.mask(step)
        weight = step.weight_of(mask)
        if weight.shape[1] < len(x):  # one geometry for all
            first = torch.zeros(len(x), dtype=torch.int64, device=x.device)
            mask, weight = mask.select(first), weight[:, first]  # memory of its own, for Plan.copy_
        return Plan(
            lam=torch.from_numpy(lam.repeat(len(x), axis=1) if shared else lam),
            weight=weight,
            partner=step.partner,
            mask=mask,
            batch_size=len(x),
            layer=layer,
        )

    def _partners(self, num_mixes: int, x: Tensor, y: Tensor | None, rng: np.random.Generator) -> np.ndarray | Tensor:
        if isinstance(self.partners, SimilarTargets):
            assert y is not None
            return self.partners.draw(y, rng)
        fresh = self.partners == "fresh"
        return draw_fresh_partners(num_mixes, len(x), rng) if fresh else draw_partner(len(x), rng)

    def apply(
        self, plan: Plan, x: Tensor, y: Tensor | None = None, *, out: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Mix a batch as planned: deterministic, no host memory touched, `torch.compile(fullgraph=True)`.

        Args:
            plan: from `plan`, or a part of its `split`.
            x: the whole batch.
            y: its targets; None: only x is mixed (another input of the same step, for example).
            out: a (K * P, ...) buffer to fill.

        Returns:
            Mixed rows, and their targets (None without y).

        Raises:
            ValueError: if the plan mixes inside the model, or plan, x, y and out do not fit.
        """
        checks.check_batch(x, y)
        checks.check_plan(x, plan)
        if plan.layer:
            raise ValueError(
                f'plan must mix at the input, got plan.layer="{plan.layer}"; use logits, y_mix = mix.run(model, x, y)'
            )
        if out is not None:
            checks.check_out(x, y, out, plan.num_mixes * plan.num_pairs)
        if y is not None:
            self._check_targets(x, y)
        return self._mixed(plan, x, out), None if y is None else self._targets(plan, x, y)

    def targets(
        self,
        plan: Plan,
        y: Tensor,
        *,
        num_classes: int | None = None,
        dense_targets: bool | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Mix other targets of a batch as planned, without its inputs: a second task, or several heads.

        Args:
            plan: what was mixed, at the input or inside the model.
            y: targets of the whole batch, in any form that a call takes.
            num_classes: of integer targets; None: the mixer's.
            dense_targets: whether these follow the pixels; None: as the mixer's.
            dtype: of soft labels made from integers; at least float32 is used.

        Returns:
            The targets of the plan's K * P rows.

        Raises:
            ValueError: if y does not fit the plan, or its own num_classes.
            TypeError: if y is no tensor.
        """
        dense = self.dense_targets if dense_targets is None else dense_targets
        if num_classes is not None:
            num_classes = checks.checked_count("num_classes", num_classes)
        elif isinstance(y, Tensor) and not (y.dtype.is_floating_point or y.dtype == torch.bool):
            num_classes = self.num_classes
        cuts = self.method.may_cut and dense_targets is None
        checks.check_other_targets(plan, y, num_classes, dense, self.ignore_index, cuts)
        return mix_targets(y, plan, num_classes, dtype, dense, self.ignore_index)

    def run(
        self,
        model: nn.Module,
        x: Tensor,
        y: Tensor,
        *,
        plan: Plan | None = None,
        saliency: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Any, Tensor]:
        """Return the forward pass of a training step, wherever the method mixes.

        Args:
            model: any module called as `model(x)`; may be wrapped (DDP, torch.compile, Fabric).
            x: the batch.
            y: its targets.
            plan: what to do; None: draw one.
            saliency: for methods that need it; not looked at if there is a plan.
            generator: as in `plan`; likewise.

        Returns:
            The model's output for the K * B mixed rows, and their targets, both mix-major.

        Raises:
            ValueError, TypeError: as for calling the object.
            RuntimeError: if the layer to be mixed does not run exactly once, or if something of the batch goes
                around it (looked for in its first forward pass).
        """
        checks.check_model(model)
        checks.warn_of_validation(model)
        checks.check_batch(x, y)
        self._check_targets(x, y)
        if plan is None:
            plan = _eager(self._draw)(x, y, model, saliency, generator)
        checks.check_plan(x, plan)
        y_mix = self._targets(plan, x, y)
        if plan.layer:
            return _run_inside(model, plan.layer, x, plan), y_mix
        return model(self._mixed(plan, x, None)), y_mix

    def _check_methods(self, x: Tensor, y: Tensor | None, model: nn.Module | None, saliency: Tensor | None) -> None:
        """Refuse what any method that may be drawn could not do, before a random number is taken."""
        for method in self.method.options:
            name = type(method).__name__
            if method.inside:
                if "" in method.layer_names(model):
                    checks.check_blendable(x, f"{name} at the input")
            elif method.blends:
                checks.check_blendable(x, name)
            method.check_input(x, y, model, saliency)
            if method.salient and saliency is not None:
                checks.check_saliency(saliency, x)

    def _check_targets(self, x: Tensor, y: Tensor | None) -> None:
        checks.check_targets(x, y, self.num_classes, self.dense_targets, self.ignore_index, self.method.may_cut)

    def _check_alpha(self, x: Tensor, alpha: Tensor, partner: Tensor | None) -> None:
        fresh = self.partners == "fresh" if partner is None else partner.ndim == 2
        checks.check_alphas(x, alpha, one_each=not fresh, shared=self.share == "batch")
        if not any(method.has_beta_law for method in self.method.options):
            raise ValueError(
                f"alpha must be left out for methods whose coefficients follow no Beta law, got method={self.method!r}"
            )

    def _check_at_input(self) -> None:
        if any(method.inside for method in self.method.options):
            raise ValueError(
                f"method must mix at the input to be called on a batch, got method={self.method!r}; "
                f"use logits, y_mix = mix.run(model, x, y)"
            )

    def _mixed(self, plan: Plan, x: Tensor, out: Tensor | None) -> Tensor:
        rows = plan.num_mixes * plan.num_pairs
        return blend(x, plan, out if out is None else out[:rows])

    def _targets(self, plan: Plan, x: Tensor, y: Tensor) -> Tensor:
        return mix_targets(y, plan, self.num_classes, x.dtype, self.dense_targets, self.ignore_index)


def _run_inside(model: nn.Module, layer: str, x: Tensor, plan: Plan) -> Any:
    """Layers below once per pair, layers from `plan.layer` on once per mix."""
    if plan.sample is not None:
        rows, plan = plan.gather()
        x = x[rows]
    return _eager(forward_mixed)(model, layer, x, lambda features: blend(checks.checked_features(features, plan), plan))


def _eager(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keep a part eager in a training step compiled as a whole: its draws and hooks would be traced once for all."""
    if not torch.compiler.is_compiling():
        return function
    disabled: Callable[..., Any] = torch.compiler.disable(function)  # type: ignore[no-untyped-call]
    return disabled
