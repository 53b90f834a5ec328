"""Mixing inside a model: at one layer, exactly once."""

import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from multimix.bypass import BypassCheck
from multimix.layers import find_layer
from multimix.recomputation import ForwardPass, MixAgain, in_backward

Mix = Callable[[Tensor], Tensor]

_CHECKED: WeakKeyDictionary[nn.Module, WeakSet[nn.Module]] = WeakKeyDictionary()
"""Layers that nothing was seen to go around, and in which models."""


def forward_mixed(model: nn.Module, layer: str, x: Tensor, mix: Mix) -> Any:
    """Run `model(x)` with the first tensor input of `layer` replaced by `mix(input)`.

    The hook is gone when this returns or raises. If activation checkpointing runs the layer again during backward,
    the same mix is applied there too. A layer inside a part compiled by torch.compile is run uncompiled, with a
    warning: compiled code does not see hooks added after its first call.

    The first pass of a model with a layer looks whether anything flows around it.

    Raises:
        ValueError: if the model has no such layer.
        RuntimeError: if the layer did not run exactly once, or got no tensor with one row per sample; if features flow
            around it, or the output has the batch's rows, not the mixed ones; or if a checkpoint recomputes this call.
    """
    if in_backward():
        raise RuntimeError(
            "mix.run must not be recomputed where it mixes inside the model, got a call during a backward pass; "
            "checkpoint the model or parts of it, not the call of mix.run"
        )
    path = find_layer(model, layer)
    forward_pass = ForwardPass()
    hook = _MixOnce(layer, mix, len(x), forward_pass)
    handle = path[-1].register_forward_pre_hook(hook, with_kwargs=True)
    check = None if model in _CHECKED.get(path[-1], ()) else BypassCheck(model, path, x)
    try:
        with forward_pass, _uncompiled(layer, path, check), check or nullcontext():
            output = model(x)
    finally:
        handle.remove()
    if hook.calls != 1:
        raise RuntimeError(
            f'layer "{layer}" must run exactly once in a forward pass to be mixed, got {hook.calls} runs; choose a '
            f"layer that every forward pass calls once, as a module (not through its functions or weights)"
        )
    if isinstance(output, Tensor) and output.shape[:1] == (len(x),) and hook.mixed_rows not in output.shape:
        raise RuntimeError(
            f"the model must return a row for each of {hook.mixed_rows} mixed rows, got output: {tuple(output.shape)}; "
            f'choose a layer whose input has the samples along its first axis, which that of "{layer}" seems not to '
            f"have"
        )
    tensors = _tensors(output)
    if check is not None:
        check.check_output(tensors)
        _CHECKED.setdefault(path[-1], WeakSet()).add(model)
    MixAgain(layer, path[-1], forward_pass, hook.mixed_inputs).watch(tensors)
    return output


def _tensors(output: Any) -> list[Tensor]:
    """Return the tensors in an output: in containers, and in the attributes of objects."""
    leaves = tree_leaves(output)
    leaves += tree_leaves([vars(leaf) for leaf in leaves if not isinstance(leaf, Tensor) and hasattr(leaf, "__dict__")])
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]


class _MixOnce:
    """A forward pre-hook that mixes the layer's input and counts how often it did."""

    def __init__(self, layer: str, mix: Mix, rows: int, forward_pass: ForwardPass) -> None:
        self.layer, self.mix, self.rows, self.forward_pass = layer, mix, rows, forward_pass
        self.calls, self.mixed_rows = 0, 0

    def __call__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if in_backward():  # the model needs a gradient on the way
            return self.mixed_inputs(args, kwargs) if self.forward_pass.is_recomputed() else (args, kwargs)
        self.calls += 1
        if self.calls > 1:
            return args, kwargs  # the count is reported when the forward pass is over
        return self.mixed_inputs(args, kwargs)

    def mixed_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the layer's inputs, the first one mixed."""
        if kwargs and not args:
            name = next(iter(kwargs))
            return args, {**kwargs, name: self._mixed(kwargs[name])}
        return (self._mixed(args[0] if args else None), *args[1:]), kwargs

    def _mixed(self, features: Any) -> Tensor:
        if not isinstance(features, Tensor) or features.ndim == 0 or len(features) != self.rows:
            got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise RuntimeError(
                f'layer "{self.layer}" must get a tensor with one row per sample ({self.rows}) as its first input to '
                f"be mixed, got {got}; choose another layer"
            )
        if not features.dtype.is_floating_point and not features.dtype.is_complex:
            raise RuntimeError(
                f'layer "{self.layer}" must get floating point features to be mixed, got {features.dtype}; choose a '
                f"layer above the embedding"
            )
        mixed = self.mix(features)
        self.mixed_rows = len(mixed)
        return mixed


def _is_compiled(path: list[nn.Module]) -> bool:
    """Whether hooks on the last module would run inside code compiled by torch.compile."""
    compiled_above = any(hasattr(module, "_orig_mod") for module in path[:-1])
    return compiled_above or any(module._compiled_call_impl is not None for module in path)


def _uncompiled(layer: str, path: list[nn.Module], check: BypassCheck | None) -> Any:
    if _is_compiled(path):
        warnings.warn(
            f'mixing at layer "{layer}" inside a model compiled by torch.compile: this forward pass runs uncompiled, '
            f"because compiled code ignores the mixing. To keep the speed, compile the stages separately "
            f"(model.stage = torch.compile(model.stage)) and mix at their inputs",
            stacklevel=4,
        )
    elif check is None or "torch._dynamo" not in sys.modules:  # then nothing is compiled
        return nullcontext()
    return torch.compiler.set_stance("force_eager")
