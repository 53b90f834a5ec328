"""The weights a run starts from."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from multimix.lab.config import TrainSettings
from multimix.lab.data import Data
from multimix.lab.errors import UsageError
from multimix.lab.models import build_model
from multimix.lab.randomness import seed_of
from multimix.lab.run_folder import WEIGHTS


def model_at_start(settings: TrainSettings, data: Data) -> nn.Module:
    """Builds the model with the weights a run starts from.

    They depend on the seed alone, or come from an earlier run; torch's global random state stays as it was.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(settings.seed, "weights"))
        model = build_model(settings.model, data.sample_shape, data.num_classes, settings.model_options)
    if settings.initial_weights is not None:
        load_initial_weights(model, settings.initial_weights)
    return model


def load_initial_weights(model: nn.Module, place: str) -> None:
    """Puts weights into a model.

    Args:
        model: A model that has tensors of the same names and shapes.
        place: A run's folder, or a .safetensors file.

    Raises:
        UsageError: if they are not there, cannot be read, or do not fit.
    """
    path = Path(place).expanduser()
    path = path / WEIGHTS if path.is_dir() else path
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(
            f"initial_weights must be a finished run's folder or a .safetensors file, got initial_weights={place!r}: "
            f"{str(error).splitlines()[0]}; correct it"
        ) from error
    own = model.state_dict()
    for name in sorted(own.keys() | weights.keys()):
        there, wanted = (tuple(some[name].shape) if name in some else None for some in (weights, own))
        if there != wanted:
            raise UsageError(
                f"initial_weights must fit the model, got {name} of shape {there} for {wanted} (None: not there) "
                f"in {path}; choose the same --model and --model-options, and data with as many classes"
            )
    model.load_state_dict(weights)
