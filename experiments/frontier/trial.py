"""One run of one arm: train, and judge the last weights."""

from collections.abc import Callable
from math import prod
from time import perf_counter, process_time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.frontier.protocol import Arm, Protocol
from multimix import MultiMix
from multimix.lab.core.randomness import seed_of
from multimix.lab.data import Data, SampleOrder, Split
from multimix.lab.models import build_model

MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
ROWS, PIXELS = 500, 500 * 3 * 32 * 32  # most of a forward pass while a model is judged: larger ones leave the cache


def train(
    protocol: Protocol,
    arm: Arm,
    data: Data,
    length: int,
    rate: float,
    seed: int,
    watch: Callable[[int, nn.Module], None] | None = None,
) -> tuple[nn.Module, dict[str, float]]:
    """Train one model: SGD with Nesterov momentum, the rate falling to zero along a cosine.

    Where the data are on a GPU, forward passes are in bfloat16 and images are stored channels last.

    Args:
        protocol: Sizes and the model.
        arm: How to train.
        data: The splits of this seed, on the device to train on.
        length: Updates of the arm with K = 1.
        rate: The highest learning rate.
        seed: First weights, order of samples, mixing. The same seed gives every arm the same first weights.
        watch: Called after each update with the number of updates so far and the model, which it leaves as it was. Its
            processor time does not count.

    Returns:
        The model, and the seconds that training took: of processor time, and on a GPU by the clock too.
    """
    torch.manual_seed(seed)
    options = protocol.model_options | arm.model_options
    model = build_model(protocol.model, data.sample_shape, data.num_classes, options)
    device = data.train.labels.device
    on_gpu = device.type != "cpu"
    if on_gpu or protocol.channels_last:
        model = model.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=rate, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY
    )
    updates = length * arm.updates
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    mix = MultiMix(
        arm.method,
        num_mixes=arm.num_mixes,
        num_classes=data.num_classes,
        **({"partners": "fresh"} if arm.fresh else {}) | arm.options,
    )
    samples = round(protocol.batch_size * (1 if arm.fresh else arm.pairs))
    order = SampleOrder(len(data.train), samples, seed)
    generator = torch.Generator()
    model.train()
    begun, watched_s = (process_time(), perf_counter()), 0.0
    for step, (x, labels) in enumerate(data.train.batches(order, range(updates))):
        generator.manual_seed(seed_of(seed, "mix", step))
        with torch.autocast(device.type, torch.bfloat16, enabled=on_gpu):
            plan = mix.plan(x, labels, model=model, generator=generator)
            if arm.fresh:  # every sample of the pool may be a partner, a part of them is kept
                plan = plan.split(round(1 / arm.pairs))[0]
            logits, y_mix = mix.run(model, x, labels, plan=plan)
        loss = F.cross_entropy(logits.float(), y_mix)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if watch is not None:
            paused = process_time()
            watch(step + 1, model)
            watched_s += process_time() - paused
    if on_gpu:
        torch.accelerator.synchronize(device)
    spent = {"cpu_time_s": process_time() - begun[0] - watched_s} | (
        {"time_s": perf_counter() - begun[1]} if on_gpu else {}
    )
    return model.eval(), spent


@torch.no_grad()
def logits_of(model: nn.Module, split: Split) -> tuple[Tensor, Tensor]:
    """Return the (N, C) logits of all samples of a split, and their labels, on the CPU."""
    rows = min(ROWS, PIXELS // prod(split.sample_shape))
    parts = [(model(x), labels) for x, labels in split.chunks(rows)]
    return torch.cat([logits for logits, _ in parts]).cpu(), torch.cat([labels for _, labels in parts]).cpu()
