"""What can be asked of a finished model, by name.

An evaluator is a function of (model, data, settings) that returns numbers by name, fractions where there is a choice.
It leaves the model as it was, draws from generators seeded by `settings.seed` alone, and computes where the data are.
"""

from collections.abc import Callable

from torch import nn

from multimix.lab.config.evaluating import EvaluateSettings
from multimix.lab.data import Data
from multimix.lab.evaluate.corruption import corruption
from multimix.lab.evaluate.localization import localization
from multimix.lab.evaluate.transfer import transfer

Evaluator = Callable[[nn.Module, Data, EvaluateSettings], dict[str, float]]

EVALUATORS: dict[str, Evaluator] = {
    "corruption": corruption,
    "localization": localization,
    "transfer": transfer,
}
