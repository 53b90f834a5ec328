"""Which method mixes, over a run: a name; several with odds, drawn for each step; or a schedule of such.

mixup                             one method
mixup+cutmix:2                    mixup in a third of the steps, CutMix in the others
mixup+cutmix:2@0,none@0.9         the same, and no mixing from 90 % of the steps on
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NoReturn

import torch
from torch import nn

from multimix import Choice, MultiMix
from multimix.lab.core.errors import UsageError
from multimix.lab.train.moments import Phases, split_phases
from multimix.lab.train.recipe import OneMethod
from multimix.methods import METHODS, Method
from multimix.suggest import nearest

NONE = "none"


@dataclass(frozen=True)
class Odds:
    """Methods of one phase.

    Args:
        names: Their names.
        weights: Their relative probabilities.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]

    def build(self, options: Mapping[str, Any]) -> Method | Choice:
        """Return the library's method; each gets those of the options that it has.

        Raises:
            TypeError, ValueError: if the library refuses a setting.
        """
        methods = [METHODS[name](**options_for(name, options)) for name in self.names]
        return methods[0] if len(methods) == 1 else Choice(methods, self.weights)

    def __str__(self) -> str:
        odds = zip(self.names, self.weights, strict=True)
        return "+".join(name if weight == 1 else f"{name}:{weight:g}" for name, weight in odds)


class MethodSchedule(Phases[Odds]):
    """Methods, phase by phase."""

    @classmethod
    def parse(cls, given: str, setting: str = "method") -> "MethodSchedule":
        """Read what the head of this file shows.

        Args:
            given: The text.
            setting: Where it was given, for messages.

        Raises:
            UsageError: if it is none of it, or a name is unknown.
        """
        values, shares = ((given.strip(),), (0.0,)) if "@" not in given else split_phases(given)
        if not values:
            _refused(given, setting)
        return cls(tuple(_odds(value, given, setting) for value in values), shares)

    @property
    def names(self) -> tuple[str, ...]:
        """All methods that may be met, each once."""
        return tuple(dict.fromkeys(name for odds in self.values for name in odds.names))

    @property
    def mixes(self) -> bool:
        """Whether anything is ever mixed."""
        return self.names != (NONE,)

    @property
    def is_one(self) -> bool:
        """Whether it is one method all the time."""
        return len(self.names) == 1

    def __str__(self) -> str:
        return self.names[0] if self.is_one else super().__str__()


def parse_list(given: Iterable[str]) -> tuple[str, ...]:
    """Return the methods of a list typed with commas: none,mixup@0,none@0.9,cutmix are none, a schedule, and cutmix.

    A phase that begins after 0 goes on with the schedule before it.
    """
    methods: list[str] = []
    for part in given:
        goes_on = re.fullmatch(r"[^@,]+@(\d*\.?\d+)", part.strip())
        if methods and "@" in methods[-1] and goes_on and float(goes_on[1]) > 0:
            methods[-1] += f",{part}"
        else:
            methods.append(part)
    return tuple(str(MethodSchedule.parse(method, "methods")) for method in methods)


def options_for(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that a method has; of several methods, one at least."""
    known = _option_names(MethodSchedule.parse(method).names)
    return {name: value for name, value in options.items() if name in known}


def check_option_names(options: Mapping[str, Any], methods: Iterable[str]) -> None:
    """Refuse an option that none of the methods has."""
    names = list(dict.fromkeys(name for method in methods for name in MethodSchedule.parse(method).names))
    known = sorted(_option_names(names))
    for name in options:
        if name not in known:
            remedy = nearest(name, known) if known else "leave it out"
            raise UsageError(f"method_options must be options of {', '.join(names)}, got {name!r}; {remedy}")


def _option_names(methods: Iterable[str]) -> set[str]:
    return {item.name for name in methods for item in fields(METHODS[name])}  # type: ignore[arg-type]


def _odds(value: str, given: str, setting: str) -> Odds:
    parts = [re.fullmatch(r"([^:+@,\s]+)(?::(\d*\.?\d+))?", part) for part in value.split("+")]
    found = [(part[1], float(part[2] or 1)) for part in parts if part]
    names, weights = tuple(name for name, _ in found), tuple(weight for _, weight in found)
    if len(found) < len(parts) or min(weights) <= 0 or len(set(names)) < len(names):
        _refused(given, setting)
    for name in names:
        if name not in METHODS:
            raise UsageError(
                f"{setting} must be one of {', '.join(METHODS)}, got {setting}={name!r}; "
                f"{nearest(name, METHODS, listed=True)}"
            )
    if NONE in names and len(names) > 1:
        raise UsageError(
            f"steps that mix must mix by one of the methods drawn from, got {setting}={given!r}; give none a phase of "
            f"its own, as in mixup@0,none@0.9"
        )
    return Odds(names, (1.0,) if len(names) == 1 else weights)


def _refused(given: str, setting: str) -> NoReturn:
    raise UsageError(
        f"{setting} must be a name, names with odds, or such at rising shares of the run from 0 on, got "
        f"{setting}={given!r}; write mixup, mixup+cutmix:2, or mixup+cutmix:2@0,none@0.9"
    )


def mixer(settings: OneMethod, num_classes: int, num_mixes: int, odds: Odds | None = None) -> MultiMix:
    """Build the mixer that the settings describe, with K mixes.

    Args:
        settings: The run's, or the picture's.
        num_classes: Number of classes.
        num_mixes: K.
        odds: The methods of one phase; None: those of the first.

    Raises:
        UsageError: in the library's words, where it refuses a setting.
    """
    odds = odds or MethodSchedule.parse(settings.method).values[0]
    check_option_names(settings.method_options, [settings.method])
    try:
        return MultiMix(
            odds.build(settings.method_options),
            num_mixes=num_mixes,
            num_classes=num_classes,
            sampling=settings.sampling,
            share=settings.share,
            partners=settings.partners,
        )
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def check_method_fits(settings: OneMethod, model: nn.Module, sample_shape: Sequence[int], num_classes: int) -> None:
    """Refuse methods that such samples, or the layers of such a model, cannot be mixed by.

    Raises:
        UsageError: in the library's words.
    """
    x = torch.empty(2, *sample_shape, device="meta")
    y = torch.empty(2, dtype=torch.int64, device="meta")
    for odds in MethodSchedule.parse(settings.method).values:
        for method in mixer(settings, num_classes, 1, odds).method.options:
            try:
                method.layer_names(model)
                method.check_input(x, y, model, None)
            except ValueError as error:
                raise UsageError(str(error)) from error
