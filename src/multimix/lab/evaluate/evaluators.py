"""What can be asked of a finished model, by name.

An evaluator is a function of (model, data, settings) that returns numbers by name, fractions where there is a choice.
It leaves the model as it was, draws from generators seeded by `settings.seed` alone, and computes where the data are.
`settings.data_root` is the run's own where none was given.
"""

from collections.abc import Callable

from torch import nn

from multimix.lab.data import Data
from multimix.lab.evaluate.adversarial import check_has_pixels, evaluate_adversarial
from multimix.lab.evaluate.corruption import check_can_be_corrupted, evaluate_corruption
from multimix.lab.evaluate.from_logits import check_two_halves, evaluate_calibration, evaluate_error
from multimix.lab.evaluate.linearity import check_a_pair, evaluate_linearity
from multimix.lab.evaluate.localization import check_has_boxes, evaluate_localization
from multimix.lab.evaluate.ood import check_ood_data, evaluate_ood
from multimix.lab.evaluate.settings import EvaluateSettings
from multimix.lab.evaluate.transfer import check_transfer_data, evaluate_transfer

Evaluator = Callable[[nn.Module, Data, EvaluateSettings], dict[str, float]]
Check = Callable[[Data, EvaluateSettings], None]

EVALUATORS: dict[str, Evaluator] = {
    "error": evaluate_error,
    "calibration": evaluate_calibration,
    "adversarial": evaluate_adversarial,
    "corruption": evaluate_corruption,
    "ood": evaluate_ood,
    "localization": evaluate_localization,
    "transfer": evaluate_transfer,
    "linearity": evaluate_linearity,
}
# What refuses, before any work, data that cannot be asked; an evaluator that is not here takes all.
CHECKS: dict[str, Check] = {
    "calibration": check_two_halves,
    "adversarial": check_has_pixels,
    "corruption": check_can_be_corrupted,
    "ood": check_ood_data,
    "localization": check_has_boxes,
    "transfer": check_transfer_data,
    "linearity": check_a_pair,
}
