"""Whether features flow around a mixed layer: labels would be mixed then, and rows not, or not wholly."""

from collections.abc import Iterable, MutableMapping
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from multimix.layers import unwrapped
from multimix.recomputation import in_backward

MIXED = 1


class BypassCheck(TorchDispatchMode):
    """Follow a batch through the operations of one forward pass, and raise where it meets what was mixed.

    Every tensor that depends on the batch has a mark: `MIXED`, or one bit for each module on the way to the layer,
    set if the batch comes to the tensor around that module's input. Masks, counts and whatever holds no row per sample
    may meet mixed features. The batch is lost from sight in numpy.

    Args:
        model: the model.
        path: the modules from the model to the layer, both included.
        x: the batch.
    """

    supports_higher_order_operators = True

    def __init__(self, model: nn.Module, path: list[nn.Module], x: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model, self.path, self.x = model, path, x
        self.marks: MutableMapping[Tensor, int] = WeakIdKeyDictionary()
        self.marks[x] = sum(2**depth for depth in range(1, len(path)))
        self.handles: list[Any] = []

    def __enter__(self) -> Self:
        for depth, module in enumerate(self.path[1:-1], start=1):
            self._watch_module(module, 2**depth)
        self.handles.append(self.path[-1].register_forward_pre_hook(self._mark_mixed, with_kwargs=True))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        while self.handles:
            self.handles.pop().remove()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        mark = 0 if in_backward() else self._meet(func, _read(func, args, kwargs))
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and mark and tensor.dtype != torch.bool:
                self.marks[tensor] = mark
                if tensor._base is not None:  # a slice was written to
                    self.marks[tensor._base] = mark
        return out

    def check_output(self, tensors: Iterable[Tensor]) -> None:
        """Refuse an output that does not depend on what was mixed."""
        marks = [self.marks.get(tensor, 0) for tensor in tensors if self._has_rows(tensor)]
        if any(marks) and MIXED not in marks:
            raise self._error(max(marks), "got a model whose output depends on the batch without it")

    def _meet(self, func: Any, tensors: list[Tensor]) -> int:
        """Return the mark of what an operation makes of some tensors."""
        marks = [self.marks.get(tensor, 0) for tensor in tensors]
        if MIXED not in marks:
            together = 0
            for mark in marks:
                together |= mark
            return together
        for tensor, mark in zip(tensors, marks, strict=True):
            if mark not in (0, MIXED) and self._has_rows(tensor):
                raise self._error(mark, f"got features of shape {tuple(tensor.shape)} that go around it, to {func}")
        return MIXED

    def _has_rows(self, tensor: Tensor) -> bool:
        """Whether a tensor looks like features of each sample."""
        if not tensor.is_floating_point() and not tensor.is_complex():
            return False
        if tensor.ndim == 1:
            return len(tensor) == self.rows
        return any(size and size % self.rows == 0 for size in tensor.shape)

    @property
    def rows(self) -> int:
        return len(self.x)

    def _error(self, mark: int, got: str) -> RuntimeError:
        names = {id(module): unwrapped(name) for name, module in self.model.named_modules()}
        around = [names[id(module)] for depth, module in enumerate(self.path[:-1]) if not mark & 2**depth]
        if around[-1]:
            advice = f'choose "{around[-1]}", whose input holds both'
        elif self.x.is_floating_point():
            advice = 'choose "", the model\'s input'
        else:
            advice = "choose a layer whose input is all that later layers use"
        return RuntimeError(
            f'layer "{names[id(self.path[-1])]}" must get all of the batch that the model uses after it to be mixed, '
            f"{got}; {advice}"
        )

    def _mark_mixed(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.marks[_first(args, kwargs)] = MIXED

    def _watch_module(self, module: nn.Module, bit: int) -> None:
        """Say of a module's first input, as long as the module runs, that it does not go around it."""
        inside: list[Tensor] = []

        def enter(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            first = _first(args, kwargs)
            if isinstance(first, Tensor) and first.ndim and len(first) == self.rows and first.is_floating_point():
                inside.append(first)
                self.marks[first] = self.marks.get(first, 0) & ~bit

        def leave(*_: Any) -> None:
            while inside:
                first = inside.pop()
                if self.marks[first] != MIXED:
                    self.marks[first] |= bit

        self.handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        self.handles.append(module.register_forward_hook(leave))


def _read(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """Return the tensors whose values an operation reads."""
    name = func.__name__
    if name.split(".")[0].endswith("_like") or name.startswith("new_"):
        return []  # only a shape
    return [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]


def _first(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0] if args else next(iter(kwargs.values()), None)
