"""What can be set, and what a setting must be: checked when it is made, so that nothing starts with a bad one."""

from multimix.lab.config.comparing import CONTROLS, CompareSettings
from multimix.lab.config.evaluating import EvaluateSettings
from multimix.lab.config.help import DoctorSettings, MethodsSettings
from multimix.lab.config.mixing import Mixing
from multimix.lab.config.preview import PreviewSettings
from multimix.lab.config.recipe import DEFAULT_STEPS, Recipe, shared
from multimix.lab.config.run import TrainSettings
from multimix.lab.config.variance import VarianceSettings

__all__ = [
    "CONTROLS",
    "DEFAULT_STEPS",
    "CompareSettings",
    "DoctorSettings",
    "EvaluateSettings",
    "MethodsSettings",
    "Mixing",
    "PreviewSettings",
    "Recipe",
    "TrainSettings",
    "VarianceSettings",
    "shared",
]
