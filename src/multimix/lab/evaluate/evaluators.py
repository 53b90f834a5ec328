"""Which evaluators there are, by the name that `multimix evaluate --with` knows them by."""

from dataclasses import MISSING, Field, fields
from typing import Any

from multimix.lab.core.checks import check, check_name
from multimix.lab.evaluate.adversarial import Adversarial
from multimix.lab.evaluate.calibration import Calibration
from multimix.lab.evaluate.corruption import Corruption
from multimix.lab.evaluate.error import Error
from multimix.lab.evaluate.evaluator import Evaluator
from multimix.lab.evaluate.linearity import Linearity
from multimix.lab.evaluate.localization import Localization
from multimix.lab.evaluate.ood import OutOfDistribution
from multimix.lab.evaluate.settings import EvaluateSettings
from multimix.lab.evaluate.transfer import Transfer

EVALUATORS: dict[str, type[Evaluator]] = {
    "error": Error,
    "calibration": Calibration,
    "adversarial": Adversarial,
    "corruption": Corruption,
    "ood": OutOfDistribution,
    "localization": Localization,
    "transfer": Transfer,
    "linearity": Linearity,
}

FOR_ALL = ("data_root", "seed")  # options of some that count whatever is asked: of the runs' own data and models too


def check_options_used(settings: EvaluateSettings) -> None:
    """Refuse an option of evaluators of which none is asked for: it would change nothing.

    Raises:
        UsageError: naming an option and the evaluators that have it.
    """
    for item in fields(settings):
        having = [name for name, kind in EVALUATORS.items() if item.name in _options(kind)]
        value = getattr(settings, item.name)
        if item.name in FOR_ALL or not having or value == _default(item):
            continue
        check(
            not set(having).isdisjoint(settings.evaluators),
            f"{item.name} needs an evaluator that uses it",
            f"add {' or '.join(having)} to --with, or leave {item.name} out",
            **{item.name: value, "evaluators": ",".join(settings.evaluators)},
        )


def build_evaluators(settings: EvaluateSettings) -> dict[str, Evaluator]:
    """Return the evaluators that settings ask for, by name, with their options.

    Raises:
        UsageError: if there is no such evaluator, or it lacks an option.
    """
    given = vars(settings)
    built = {}
    for name in settings.evaluators:
        check_name("evaluators", name, EVALUATORS)
        kind = EVALUATORS[name]
        options = _options(kind) & given.keys()
        built[name] = kind(**{option: given[option] for option in options})
    return built


def _options(kind: type[Evaluator]) -> set[str]:
    return {item.name for item in fields(kind)}  # type: ignore[arg-type]  # a dataclass


def _default(item: "Field[Any]") -> object:
    return item.default if item.default_factory is MISSING else item.default_factory()
