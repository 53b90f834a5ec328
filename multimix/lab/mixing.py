"""From names and options to the library's mixer."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from multimix import MultiMix
from multimix.lab.errors import UsageError
from multimix.lab.moments import Length, Moment
from multimix.methods import METHODS
from multimix.suggest import nearest

if TYPE_CHECKING:
    from multimix.lab.config import PreviewSettings, TrainSettings

__all__ = ["METHODS", "Course", "check_option_names", "mixer", "options_for"]


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
            num_mixes=settings.mixes,
            num_classes=num_classes,
            sampling=settings.sampling,
            share=settings.share,
            partners=settings.partners,
        )
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


@dataclass(frozen=True)
class Course:
    """Which mixer at which step of a run: none at first and at last, if so wished.

    Args:
        mix: The run's mixer.
        plain: The one that mixes nothing.
        first: The step from which on is mixed.
        last: The step from which on is no longer mixed.
    """

    mix: MultiMix
    plain: MultiMix
    first: int
    last: int

    @classmethod
    def of(cls, settings: "TrainSettings", num_classes: int, length: Length) -> "Course":
        """Returns the course that the settings describe.

        Raises:
            UsageError: if nothing would be left to mix.
        """
        first = math.ceil(Moment.parse("unmixed_first", settings.unmixed_first).step(length))
        last = length.steps - math.ceil(Moment.parse("unmixed_last", settings.unmixed_last).step(length))
        if first >= last:
            raise UsageError(
                f"some steps must be mixed, got unmixed_first={settings.unmixed_first!r}, "
                f"unmixed_last={settings.unmixed_last!r} in a run of {length.steps} steps; mix in more of them"
            )
        return cls(mixer(settings, num_classes), MultiMix("none", num_mixes=1, num_classes=num_classes), first, last)

    def at(self, step: int) -> MultiMix:
        """Returns the mixer of the update that comes after `step` others."""
        return self.mix if self.first <= step < self.last else self.plain

    def rows(self, steps: int, samples: int, mixed_rows: int) -> int:
        """Returns how many rows the model saw in the first `steps` updates.

        Args:
            steps: Updates done.
            samples: Samples per step: the rows of a step that is not mixed.
            mixed_rows: Rows of one that is.
        """
        mixed = max(0, min(steps, self.last) - self.first)
        return mixed * mixed_rows + (steps - mixed) * samples


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
