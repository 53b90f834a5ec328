"""The model a run starts from: its weights, and whether it gives what is trained on, a row of logits per sample."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from multimix.lab.core.errors import UsageError
from multimix.lab.core.randomness import seed_of
from multimix.lab.core.regular_files import check_regular
from multimix.lab.data import Data
from multimix.lab.models import build_model
from multimix.lab.train.method_schedule import check_method_fits
from multimix.lab.train.run_folder import WEIGHTS
from multimix.lab.train.settings import TrainSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SAMPLES = 2  # that the model is asked about


def model_at_start(settings: TrainSettings, data: Data, fabric: "Fabric") -> nn.Module:
    """Build the model with the weights a run starts from, an earlier run's or new ones, on the device.

    Raises:
        UsageError: if the model cannot be built, is none that can be trained on such data, or cannot be mixed as asked.
    """
    model = build_model_of(settings, data.sample_shape, data.num_classes)
    check_parameters(settings.model, model)
    check_output(settings.model, model, fabric, data.sample_shape, data.num_classes)
    check_method_fits(settings, model, data.sample_shape, data.num_classes)
    if settings.initial_weights is not None:
        load_initial_weights(model, settings.initial_weights)
    return model


def build_model_of(settings: TrainSettings, sample_shape: torch.Size, num_classes: int) -> nn.Module:
    """Build the model that the settings name, with weights that depend on the seed alone.

    Torch's global random state stays as it was.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(settings.seed, "weights"))
        return build_model(settings.model, sample_shape, num_classes, settings.model_options)


def load_initial_weights(model: nn.Module, place: str, setting: str = "initial_weights") -> None:
    """Put weights into a model.

    Args:
        model: A model that has tensors of the same names and shapes.
        place: A run's folder, or a .safetensors file.
        setting: What names the place, for messages.

    Raises:
        UsageError: if they are not there, cannot be read, or do not fit.
    """
    model.load_state_dict(fitting_weights(model.state_dict(), place, setting))


def fitting_weights(own: Mapping[str, Tensor], place: str, setting: str) -> dict[str, Tensor]:
    """Return the weights of a file; only its header is read until they are used.

    Args:
        own: The tensors of the model that they are for.
        place: A run's folder, or a .safetensors file.
        setting: What names the place, for messages.

    Raises:
        UsageError: if they are not there, cannot be read, or have other names, shapes or types.
    """
    path = Path(place).expanduser()
    path = path / WEIGHTS if path.is_dir() else path
    try:
        check_regular(path)
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        others = "" if setting == "runs" else " or a .safetensors file"
        raise UsageError(
            f"{setting} must be a finished run's folder{others}, got {path}: {str(error).splitlines()[0]}; correct it"
        ) from error
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
    return weights


def check_parameters(name: str, model: nn.Module) -> None:
    """Refuse a model that has nothing to train, or a state that no file of weights holds.

    Raises:
        UsageError: if no parameter takes a gradient, one has no size yet, or the state holds more than tensors.
    """
    parameters = list(model.parameters())
    if any(isinstance(parameter, UninitializedParameter) for parameter in parameters):
        raise UsageError(
            f"model must know the sizes of its layers, got model={name!r} with lazy ones; build them from sample_shape"
        )
    if not any(parameter.requires_grad for parameter in parameters):
        raise UsageError(
            f"model must have parameters to train, got model={name!r} with {len(parameters)}, none of which takes a "
            f"gradient; let the callable return a model that learns"
        )
    others = [key for key, value in model.state_dict().items() if not isinstance(value, torch.Tensor)]
    if others:
        raise UsageError(
            f"a model's state must hold tensors alone, got model={name!r} with {others[0]}; keep what is none out of "
            f"get_extra_state"
        )


def check_output(name: str, model: nn.Module, fabric: "Fabric", sample_shape: torch.Size, num_classes: int) -> None:
    """Refuse a model that does not return (samples, classes) logits; its state and torch's random state stay the same.

    Raises:
        UsageError: saying what it returns instead, or why it does not run.
    """
    was_training = model.training
    with torch.random.fork_rng(), torch.no_grad(), fabric.autocast():
        try:
            logits = model.to(fabric.device).eval()(torch.zeros(SAMPLES, *sample_shape, device=fabric.device))
        except Exception as error:  # whatever a model of somebody else's raises, it says so before any work
            raise UsageError(
                f"model must take samples of shape {tuple(sample_shape)}, got model={name!r}, which raised "
                f"{type(error).__name__}: {' '.join(str(error).split())}; correct its forward"
            ) from error
    model.train(was_training)
    wanted = (SAMPLES, num_classes)
    if not isinstance(logits, torch.Tensor):
        raise UsageError(
            f"model must return a tensor of logits, got model={name!r}, which returns a {type(logits).__name__}; "
            f"let forward return the logits alone"
        )
    if logits.shape != wanted or not logits.is_floating_point():
        raise UsageError(
            f"model must return logits of shape {wanted} for {SAMPLES} samples of {num_classes} classes, got "
            f"model={name!r}, which returns {logits.dtype} of shape {tuple(logits.shape)}; size its last layer by "
            f"num_classes"
        )
