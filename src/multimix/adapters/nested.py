"""Batches of several inputs and targets, in tuples, lists and dictionaries: all of them mixed by one plan."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import keystr, tree_flatten_with_path, tree_unflatten

from multimix import MultiMix, SimilarTargets
from multimix.checks import check_batch, check_targets
from multimix.once import note_mixed
from multimix.shapes import spatial_shape

Key = str | int
Classes = int | None
Targets = Key | Sequence[Key] | Mapping[Key, Classes | Sequence[Classes]] | None
Named = dict[str, Tensor]

NAMES = ("labels", "label", "targets", "target", "y")


def mix_batch(mix: MultiMix, batch: Any, targets: Targets, owner: str) -> Any:
    """Mix a batch into one of the same form.

    Args:
        mix: what to do.
        batch: a list, tuple or mapping of tensors, or of lists, tuples and dictionaries of tensors. Text beside them,
            such as file names, is left as it is: as many as there are pairs.
        targets: which items are targets, by place or name; a mapping gives the number of classes of each, or a list of
            them where the item holds several tensors. None: the last item; of a mapping the one with a usual name.
        owner: the name of the adapter, for messages.

    Raises:
        TypeError: if the batch is of another form, or holds anything but tensors and text.
        ValueError: if there are no inputs or no targets, or they do not fit each other.
    """
    items = _items(batch, owner)
    classes = _classes(items, targets, owner, has_places=not isinstance(batch, Mapping))
    parts = {key: _tensors(key, item, key in classes, owner) for key, item in items.items()}
    inputs = {name: x for key, (found, _) in parts.items() if key not in classes for name, x in found.items()}
    counts = {key: _counts(key, classes[key], len(parts[key][0])) for key in classes}
    pairs = [pair for key in classes for pair in zip(parts[key][0].values(), counts[key], strict=True)]
    if not inputs or not pairs:
        raise ValueError(
            f"a batch must hold inputs and targets, got {len(inputs)} inputs and {len(pairs)} targets in "
            f"{list(items)}; say which are targets: {owner}(mix, targets=...)"
        )
    x = next(iter(inputs.values()))
    _check_inputs(mix, inputs)
    _check_targets(mix, x, pairs)
    plan = mix.plan(x, pairs[0][0] if isinstance(mix.partners, SimilarTargets) else None)
    values = {}
    for key, (found, rebuilt) in parts.items():
        if key in classes:
            pair = zip(found.values(), counts[key], strict=True)
            mixed = [mix.targets(plan, y, num_classes=count, dtype=x.dtype) for y, count in pair]
        else:
            mixed = [note_mixed(mix.apply(plan, each)[0], owner) for each in found.values()]
        values[key] = rebuilt(mixed)
    if isinstance(batch, MutableMapping):
        mixed_batch = copy(batch)  # of its own type: transformers' batches can move to a device
        mixed_batch.update(values)
        return mixed_batch
    if isinstance(batch, Mapping):
        return values
    return type(batch)(*values.values()) if hasattr(batch, "_fields") else type(batch)(values.values())


def _items(batch: Any, owner: str) -> dict[Key, Any]:
    """Return the items of a batch by their names, or by their places."""
    is_container = isinstance(batch, (Mapping, list, tuple))
    if not is_container or not batch:
        got = repr(batch) if is_container else type(batch).__name__
        raise TypeError(
            f"{owner} mixes batches that are lists, tuples or dictionaries of inputs and targets, got batch={got}; mix "
            f"in the training step instead, with mix(x, y)"
        )
    if isinstance(batch, Mapping):
        return dict(batch)
    return dict(enumerate(batch))


def _classes(items: dict[Key, Any], targets: Targets, owner: str, has_places: bool) -> dict[Key, Any]:
    """Return which items are targets, and how many classes each has; None: as the mixer says."""
    if targets is None:
        found = [len(items) - 1] if has_places else [name for name in NAMES if name in items]
        if len(found) != 1:
            hint = (found or [name for name, item in items.items() if _counts_classes(item)] or list(items))[-1]
            raise ValueError(
                f"a batch must have one item named as targets are ({', '.join(NAMES)}), got {list(items)}; say which "
                f"are targets: {owner}(mix, targets={hint!r})"
            )
        return {found[0]: None}
    keys = [targets] if isinstance(targets, Key) else list(targets)
    for key in keys:
        if key not in items:
            raise ValueError(f"targets must be items of the batch ({list(items)}), got targets={targets!r}; correct it")
    return {key: targets[key] if isinstance(targets, Mapping) else None for key in keys}


def _counts_classes(item: Any) -> bool:
    return isinstance(item, Tensor) and not item.dtype.is_floating_point


def _tensors(key: Key, item: Any, is_target: bool, owner: str) -> tuple[Named, Callable[[Iterable[Tensor]], Any]]:
    """Return the tensors of an item by their names in the batch, and what puts others in their places."""
    leaves, form = tree_flatten_with_path(item)
    found = {}
    for path, leaf in leaves:
        name, kind = f"batch[{key!r}]{keystr(path)}", type(leaf).__name__
        if isinstance(leaf, Tensor):
            found[name] = leaf
        elif is_target:
            raise TypeError(
                f"{owner} mixes targets that are tensors, got {name}={kind}; number the classes from 0 on, or say "
                f"which items are targets: {owner}(mix, targets=...)"
            )
        elif not isinstance(leaf, str):
            raise TypeError(
                f"{owner} mixes tensors, got {name}={kind}; leave it out of the batch, or mix in the training step, "
                f"with mix(x, y)"
            )

    def rebuilt(tensors: Iterable[Tensor]) -> Any:
        mixed = iter(tensors)
        return tree_unflatten([next(mixed) if isinstance(leaf, Tensor) else leaf for _, leaf in leaves], form)

    return found, rebuilt


def _counts(key: Key, classes: Any, count: int) -> list[Classes]:
    """Return the number of classes of each tensor of an item."""
    if not isinstance(classes, (list, tuple)):
        return [classes] * count
    if len(classes) != count:
        raise ValueError(
            f"targets must give a number of classes for each of the {count} tensors of batch[{key!r}], got {classes}; "
            f"give None for one that is no class"
        )
    return list(classes)


def _check_inputs(mix: MultiMix, inputs: Named) -> None:
    """Refuse, before anything is drawn, inputs that one plan does not fit."""
    first_name, first = next(iter(inputs.items()))
    for name, x in inputs.items():
        check_batch(x)
        if len(x) != len(first):
            raise ValueError(
                f"inputs must have the same number of samples, got {first_name}: {tuple(first.shape)}, {name}: "
                f"{tuple(x.shape)}; leave out what has no row per sample"
            )
        for method in mix.method.options:
            if method.blends and not (x.dtype.is_floating_point or x.dtype.is_complex):
                raise ValueError(
                    f"inputs must be floating point, because {type(method).__name__} averages values, got {name}: "
                    f"{x.dtype}; convert it, name it among targets=..., or leave it out of the batch"
                )
            if method.cuts and spatial_shape(x) != spatial_shape(first):
                raise ValueError(
                    f"inputs must have the same spatial axes, because {type(method).__name__} cuts them, got "
                    f"{first_name}: {tuple(first.shape)}, {name}: {tuple(x.shape)}; name targets among targets=..., or "
                    f"mix with MixUp"
                )


def _check_targets(mix: MultiMix, x: Tensor, pairs: list[tuple[Tensor, Classes]]) -> None:
    """Refuse, before anything is drawn, targets that labels cannot be made of."""
    for y, count in pairs:
        check_batch(x, y)
        mixers = None if len(pairs) > 1 and (y.dtype.is_floating_point or y.dtype == torch.bool) else mix.num_classes
        num_classes, cuts = mixers if count is None else count, mix.method.may_cut
        check_targets(x, y, num_classes, mix.dense_targets, mix.ignore_index, cuts)
