"""Named architectures; a model is built from a sample's shape and the number of classes."""

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from multimix.lab.core.errors import UsageError
from multimix.lab.models.lenet import LeNet
from multimix.lab.models.mlp import MLP
from multimix.lab.models.preact_resnet18 import PreActResNet18
from multimix.lab.models.resnet9 import ResNet9
from multimix.lab.models.resnet50 import ResNet50
from multimix.lab.models.resnext import ResNeXt29
from multimix.lab.models.small_cnn import SmallCNN
from multimix.lab.models.vgg11 import VGG11
from multimix.lab.models.wide_resnet import wrn16_8, wrn28_10
from multimix.suggest import nearest

__all__ = ["MODELS", "build_model", "check_model", "import_model", "is_code"]

MODELS: dict[str, Callable[..., nn.Module]] = {
    "small-cnn": SmallCNN,
    "mlp": MLP,
    "resnet9": ResNet9,
    "preact-resnet18": PreActResNet18,
    "wrn-16-8": wrn16_8,
    "wrn-28-10": wrn28_10,
    "resnext-29-4-24": ResNeXt29,
    "resnet-50": ResNet50,
    "vgg-11": VGG11,
    "lenet": LeNet,
}


def check_model(name: str, options: Mapping[str, Any]) -> None:
    """Refuse a model that is not known, or lacks an option. Of package.module:callable only the form is looked at.

    Raises:
        UsageError: if there is no such model, or it has no such options.
    """
    if name in MODELS:
        _check_options(name, MODELS[name], options)
    elif ":" not in name:
        raise UsageError(
            f"model must be one of {', '.join(MODELS)}, or package.module:callable, got model={name!r}; "
            f"{nearest(name, MODELS)}"
        )
    elif not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", name):
        raise UsageError(f"model must be importable, got model={name!r}; write package.module:callable")


def is_code(name: str) -> bool:
    """Whether a model's name is package.module:callable: to build it, a module is imported, which may do anything."""
    return ":" in name


def import_model(name: str, options: Mapping[str, Any]) -> Callable[..., nn.Module]:
    """Return what builds a model, and import it: only for a name that the user gave, never one found in a file.

    Raises:
        UsageError: if there is no such model, or it has no such options.
    """
    check_model(name, options)
    build = _imported(name) if is_code(name) else MODELS[name]
    _check_options(name, build, options)
    return build


def _check_options(name: str, build: Callable[..., nn.Module], options: Mapping[str, Any]) -> None:
    known, any_name = _option_names(build)
    for option in options:
        if option not in known and not any_name:
            remedy = nearest(option, known) if known else "leave it out"
            raise UsageError(f"model_options must be options of {name}, got {option!r}; {remedy}")


def build_model(
    name: str, sample_shape: Sequence[int], num_classes: int, options: Mapping[str, Any] | None = None
) -> nn.Module:
    """Build a model by its name, or by `package.module:callable`, which gets (sample_shape, num_classes, **options).

    Raises:
        UsageError: if the model cannot be built for such samples.
    """
    shape, options = tuple(sample_shape), options or {}
    build = import_model(name, options)
    try:
        model = build(shape, num_classes, **options)
    except Exception as error:  # whatever a model of somebody else's raises, it says so in one line
        if not is_code(name) and not isinstance(error, (TypeError, ValueError, RuntimeError)):
            raise
        kind = f"{type(error).__name__}: " if is_code(name) else ""
        raise UsageError(f"{name} must fit samples of shape {shape} and its options, got: {kind}{error}") from error
    if not isinstance(model, nn.Module):
        raise UsageError(f"{name} must return a torch.nn.Module, got {type(model).__name__}; let it return the model")
    if len(shape) != getattr(model, "sample_dims", len(shape)):
        raise UsageError(
            f"samples for {name} must be images or spectrograms, (channels, height, width), got shape {shape}; "
            f"choose another model, such as mlp"
        )
    return model


def _imported(name: str) -> Callable[..., nn.Module]:
    """Return what `package.module:callable` means; modules are also looked for in the current folder."""
    module_name, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:  # an installed program does not look there by itself
        sys.path.append(os.getcwd())
    try:
        build = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"model must be importable, got model={name!r}: {error}; write package.module:callable"
        ) from error
    except (Exception, SystemExit) as error:  # a script that runs when it is imported may raise anything, or end all
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(
            f"model must be importable, got model={name!r}, and {module_name} raised {what}; keep what a script does "
            f'below if __name__ == "__main__":'
        ) from error
    if not callable(build):
        raise UsageError(f"model must be callable, got model={name!r}, a {type(build).__name__}; name a class")
    return build  # type: ignore[no-any-return]


def _option_names(build: Callable[..., nn.Module]) -> tuple[list[str], bool]:
    """Return the names of the options after (sample_shape, num_classes), and whether any other name is taken too."""
    try:
        parameters = list(inspect.signature(build).parameters.values())
    except ValueError:  # what is written in C may have none
        return [], True
    names = [p.name for p in parameters[2:] if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return names, any(p.kind is p.VAR_KEYWORD for p in parameters)
