"""Weights of an earlier run."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from multimix.lab.errors import UsageError
from multimix.lab.run_folder import WEIGHTS


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
    model.load_state_dict(weights)
