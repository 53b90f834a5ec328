"""The weights a run starts from."""

from pathlib import Path

import torch
from lightning.fabric import Fabric
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from multimix.lab.core.errors import UsageError
from multimix.lab.core.randomness import seed_of
from multimix.lab.core.regular_files import check_regular
from multimix.lab.data import Data
from multimix.lab.models import build_model
from multimix.lab.train.model_output import check_output, check_parameters
from multimix.lab.train.run_folder import WEIGHTS
from multimix.lab.train.settings import TrainSettings


def model_at_start(settings: TrainSettings, data: Data, fabric: Fabric) -> nn.Module:
    """Builds the model with the weights a run starts from, an earlier run's or new ones, on the device.

    Raises:
        UsageError: if the model cannot be built, or is none that can be trained on such data.
    """
    model = build_model_of(settings, data.sample_shape, data.num_classes)
    check_parameters(settings.model, model)
    check_output(settings.model, model, fabric, data.sample_shape, data.num_classes)
    if settings.initial_weights is not None:
        load_initial_weights(model, settings.initial_weights)
    return model


def build_model_of(settings: TrainSettings, sample_shape: torch.Size, num_classes: int) -> nn.Module:
    """Builds the model that the settings name, with weights that depend on the seed alone.

    Torch's global random state stays as it was.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(settings.seed, "weights"))
        return build_model(settings.model, sample_shape, num_classes, settings.model_options)


def load_initial_weights(model: nn.Module, place: str, setting: str = "initial_weights") -> None:
    """Puts weights into a model.

    Args:
        model: A model that has tensors of the same names and shapes.
        place: A run's folder, or a .safetensors file.
        setting: What names the place, for messages.

    Raises:
        UsageError: if they are not there, cannot be read, or do not fit.
    """
    path = Path(place).expanduser()
    path = path / WEIGHTS if path.is_dir() else path
    try:
        check_regular(path)
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(
            f"{setting} must be a finished run's folder or a .safetensors file, got {setting}={place!r}: "
            f"{str(error).splitlines()[0]}; correct it"
        ) from error
    own = model.state_dict()
    for name in sorted(own.keys() | weights.keys()):
        there, wanted = (tuple(some[name].shape) if name in some else None for some in (weights, own))
        if there != wanted:
            raise UsageError(
                f"{setting} must fit the model, got {name} of shape {there} for {wanted} (None: not there) "
                f"in {path}; choose the same --model and --model-options, and data with as many classes"
            )
        if weights[name].dtype != own[name].dtype:  # torch would round them without a word
            raise UsageError(
                f"{setting} must be of the model's types, got {name} of {weights[name].dtype} for {own[name].dtype} in "
                f"{path}; convert the file"
            )
    model.load_state_dict(weights)
