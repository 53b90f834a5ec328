"""Which evaluators there are, by the name that `multimix evaluate --with` knows them by."""

from dataclasses import fields

from multimix.lab.core.checks import check_name
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
        options = {item.name for item in fields(kind)} & given.keys()  # type: ignore[arg-type]  # a dataclass
        built[name] = kind(**{option: given[option] for option in options})
    return built
