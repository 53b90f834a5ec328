"""Which module of a model a layer's name means."""

import difflib
from collections.abc import Sequence

from torch import nn

from multimix.suggest import nearest

# What wrappers put into the names of the modules they wrap: DDP and DataParallel, torch.compile, Lightning Fabric.
WRAPPERS = ("module", "_orig_mod", "_forward_module", "_original_module")


def find_layer(model: nn.Module, name: str) -> list[nn.Module]:
    """Return the modules on the way from the model to the layer called `name`, the layer last.

    An exact name wins; otherwise the names of wrappers (DDP, torch.compile, Fabric) are skipped, wherever they stand.

    Raises:
        ValueError: if no module has that name.
    """
    check_layers(model, [name])
    modules = dict(model.named_modules())
    full = name if name in modules else next(full for full in modules if unwrapped(full) == name)
    parts = full.split(".")
    return [modules[".".join(parts[:depth])] for depth in range(len(parts) + 1)]


def check_layers(model: nn.Module, names: Sequence[str]) -> None:
    """Refuse names that no module of the model has.

    Raises:
        ValueError: naming the nearest module.
    """
    known = {unwrapped(full) for full, _ in model.named_modules()} | {full for full, _ in model.named_modules()}
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known - {""}, n=1)
            remedy = f'did you mean "{close[0]}"?' if close else nearest(name, children_names(model))
            raise ValueError(f'layers must name modules of the model, got "{name}"; {remedy}')


def mix_layers(model: nn.Module | None) -> Sequence[str] | None:
    """Return the layers a model says may be mixed: its attribute `mix_layers`, looked for under wrappers too."""
    while model is not None:
        layers = getattr(model, "mix_layers", None)
        if layers is not None:
            return [layers] if isinstance(layers, str) else list(layers)
        model = next((child for name, child in model.named_children() if name in WRAPPERS), None)
    return None


def children_names(model: nn.Module, limit: int = 12) -> list[str]:
    """Return the first candidates for mixing, for an error message."""
    names = dict.fromkeys(unwrapped(name) for name, _ in model.named_modules())
    return [name for name in names if name and "." not in name][:limit]


def unwrapped(name: str) -> str:
    """Return a module's name without the parts that wrappers put into it."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)
