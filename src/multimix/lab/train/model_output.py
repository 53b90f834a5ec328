"""Does a model give what is trained on, a row of logits for each sample? Asked once, before the first step."""

import torch
from lightning.fabric import Fabric
from torch import nn
from torch.nn.parameter import UninitializedParameter

from multimix.lab.core.errors import UsageError

SAMPLES = 2


def check_parameters(name: str, model: nn.Module) -> None:
    """Refuses a model that has nothing to train.

    Raises:
        UsageError: if no parameter takes a gradient, or one has no size yet.
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


def check_output(name: str, model: nn.Module, fabric: Fabric, sample_shape: torch.Size, num_classes: int) -> None:
    """Refuses a model that does not return (samples, classes) logits; its state and torch's random state stay the same.

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
