"""From names and options to the library's mixer."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from multimix import MultiMix
from multimix.lab.errors import UsageError
from multimix.methods import METHODS
from multimix.suggest import nearest

if TYPE_CHECKING:
    from multimix.lab.config import PreviewSettings, TrainSettings

__all__ = ["METHODS", "check_option_names", "mixer", "options_for"]


def mixer(settings: "TrainSettings | PreviewSettings", num_classes: int) -> MultiMix:
    """Builds the mixer that the settings describe.

    Raises:
        UsageError: in the library's words, where it refuses a setting.
    """
    if settings.method not in METHODS:
        raise UsageError(
            f"method must be one of {', '.join(METHODS)}, got method={settings.method!r}; "
            f"{nearest(settings.method, METHODS)}"
        )
    check_option_names(settings.method_options, [settings.method])
    try:
        return MultiMix(
            METHODS[settings.method](**settings.method_options),
            num_mixes=settings.num_mixes,
            num_classes=num_classes,
            sampling=settings.sampling,
            share=settings.share,
            partners=settings.partners,
        )
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def options_for(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those of the options that a method has."""
    return {name: value for name, value in options.items() if name in _option_names(method)}


def check_option_names(options: Mapping[str, Any], methods: Iterable[str]) -> None:
    """Refuses an option that none of the methods has."""
    known = sorted({name for method in methods for name in _option_names(method)})
    for name in options:
        if name not in known:
            remedy = nearest(name, known) if known else "leave it out"
            raise UsageError(f"method_options must be options of {', '.join(methods)}, got {name!r}; {remedy}")


def _option_names(method: str) -> list[str]:
    return [item.name for item in fields(METHODS[method])]  # type: ignore[arg-type]
