"""What each of two processes does in test_processes.py; it is given a folder to write to."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from multimix import MultiMix
from multimix.lab.core.processes import launched, weight_of
from multimix.lab.data import SampleOrder, open_data
from multimix.lab.models import build_model
from multimix.lab.train.checkpoint import digest
from multimix.lab.train.run import train
from multimix.lab.train.settings import TrainSettings

SAMPLES = 13  # uneven: one process takes 6, the other 7


def gradient(rank: int | None) -> dict[str, torch.Tensor]:
    """Returns the gradient of one step of the MLP: of a process's part of the plan, or of all of it (rank None)."""
    data = open_data("digits")
    torch.manual_seed(0)
    model = build_model("mlp", data.sample_shape, data.num_classes, {})
    x, labels = next(data.train.batches(SampleOrder(len(data.train), SAMPLES, 0), range(1)))
    mix = MultiMix("cutmix", num_mixes=3, num_classes=data.num_classes)
    plan = whole_plan
    if rank is not None:
        plan = plan.split(2)[rank]
        wrapped = torch.nn.parallel.DistributedDataParallel(model)
        logits, y_mix = mix.run(wrapped, x, labels, plan=plan)
        loss = torch.nn.functional.cross_entropy(logits, y_mix) * weight_of(plan.num_pairs, SAMPLES)
    else:
        logits, y_mix = mix.run(model, x, labels, plan=plan)
        loss = torch.nn.functional.cross_entropy(logits, y_mix)
    loss.backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


def weights_after_training(out: Path, method: str) -> list[str]:
    """Trains 50 uneven steps; returns the digests of this process's weights after each."""
    digests: list[str] = []

    def note(optimizer: torch.optim.Optimizer, *_: object) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        digests.append(digest({str(index): parameter for index, parameter in enumerate(parameters)}))

    hook = register_optimizer_step_post_hook(note)
    settings = {"method": method, "num_mixes": 3, "batch_size": 39, "steps": 50, "checkpoint_every": "7"}
    settings |= {"trackers": ("tensorboard",) if find_spec("tensorboard") else ()}
    train(TrainSettings(**settings, out=str(out)))
    hook.remove()
    return digests


fabric = launched("cpu")
rank = fabric.global_rank
# Pairs are drawn apart in each process; here both are to follow the first one's plan.
plans = [MultiMix("cutmix", num_mixes=3).plan(torch.zeros(SAMPLES, 1, 8, 8))]
torch.distributed.broadcast_object_list(plans)
whole_plan = plans[0]
folder = Path(sys.argv[1])
alone, together = gradient(None), gradient(rank)
result = {
    "gap": max((alone[name] - together[name]).abs().max().item() for name in alone),
    "size": max(value.abs().max().item() for value in alone.values()),
    "digests": weights_after_training(folder / "run", "manifold"),
}
(folder / f"rank{rank}.json").write_text(json.dumps(result))
