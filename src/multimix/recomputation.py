"""Which forward pass a recomputation belongs to: activation checkpointing runs layers again during backward."""

import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

Inputs = tuple[tuple[Any, ...], dict[str, Any]]


def in_backward() -> bool:
    """Whether this thread is running a backward pass."""
    return _backward_pass() != -1


class ForwardPass:
    """The nodes that one forward pass adds to autograd's graph, known by their numbers.

    A thread numbers its nodes in the order in which it makes them. A checkpoint recomputes a part of a forward pass
    because a node of that pass is being evaluated: its number says which pass it is, whatever else was run before or
    after, and in whatever order backward runs.
    """

    first: int
    end: int | None = None

    def __enter__(self) -> Self:
        self.first = torch._C._autograd._get_sequence_nr()
        return self

    def __exit__(self, *_: object) -> None:
        self.end = torch._C._autograd._get_sequence_nr()

    def made(self, node: Node) -> bool:
        """Whether the node is one of this pass."""
        number: int = node._sequence_nr()
        return self.first <= number and (self.end is None or number < self.end)

    def is_recomputed(self) -> bool:
        """Whether what runs now is a recomputation of this pass."""
        return in_backward() and self.made(torch._C._current_autograd_node())


class MixAgain:
    """Mix the recomputations of one forward pass, and no others.

    The hook is on the layer only while a backward pass runs that goes through the forward pass: the first node of it
    that such a backward pass evaluates puts the hook there.

    Args:
        layer: the name of the layer, for an error.
        module: the layer.
        forward_pass: the one that was mixed.
        mix: takes the layer's inputs and gives the mixed ones.
    """

    def __init__(self, layer: str, module: nn.Module, forward_pass: ForwardPass, mix: Callable[..., Inputs]) -> None:
        self.layer, self.module, self.forward_pass, self.mix = layer, module, forward_pass, mix
        self.running: dict[int, tuple[Any, Any]] = {}  # backward passes during which a hook is on the layer
        self.watches_all = False

    def watch(self, outputs: Iterable[Tensor]) -> None:
        """Wait for backward passes through what the forward pass returned."""
        for node in {tensor.grad_fn for tensor in outputs if tensor.grad_fn is not None}:
            node.register_prehook(self._backward_begins)

    def _backward_begins(self, _: Any) -> None:
        if torch.is_grad_enabled() and not self.watches_all:  # create_graph=True
            # A backward pass through the gradients may enter the forward pass anywhere.
            self.watches_all = True
            for node in self._nodes(torch._C._current_autograd_node()):
                node.register_prehook(self._backward_begins)
        number = _backward_pass()
        if number in self.running:
            return
        hook = partial(self._called_in_backward, number)
        handle = self.module.register_forward_pre_hook(hook, with_kwargs=True)

        def over() -> None:
            self._backward_ends(number)

        # The engine calls the function at the end of the backward pass. If that raises, it only lets go of it.
        self.running[number] = handle, weakref.ref(over, lambda _: self._backward_ends(number))
        torch.autograd.Variable._execution_engine.queue_callback(over)

    def _backward_ends(self, number: int) -> None:
        if number in self.running:
            self.running.pop(number)[0].remove()

    def _nodes(self, root: Node) -> set[Node]:
        """Return the nodes of the forward pass that lead to one of them."""
        found: set[Node] = set()
        todo = [root]
        while todo:
            node = todo.pop()
            if node not in found and self.forward_pass.made(node):
                found.add(node)
                todo += [below for below, _ in node.next_functions if below is not None]
        return found

    def _called_in_backward(
        self, number: int, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Inputs:
        if in_backward() and _backward_pass() != number:
            # The nodes of a recomputation do not tell which forward pass it is of.
            raise RuntimeError(
                f'layer "{self.layer}" must lie in one reentrant checkpoint at most to be mixed, got reentrant '
                f"checkpoints inside one another; pass use_reentrant=False to the outer ones"
            )
        return self.mix(args, kwargs) if self.forward_pass.is_recomputed() else (args, kwargs)


def _backward_pass() -> int:
    number: int = torch._C._current_graph_task_id()
    return number
