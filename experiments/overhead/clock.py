"""Seconds of updates and of epochs, designs taking turns, in one process."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import torch

from experiments.overhead.design import Design
from multimix.lab.core.processes import launched
from multimix.lab.data import Data, HeldSplit, SampleOrder
from multimix.lab.models import build_model
from multimix.lab.train.learner import AutocastModel, Learner
from multimix.lab.train.moments import Length
from multimix.lab.train.settings import TrainSettings

STEPS = 10**6  # of a run that is never finished: the learning rate stays where it is
WARM_UP = 3


class Trainee:
    """One design at work, as `multimix train` works.

    Args:
        design: How updates are made.
        data: The samples.
        seed: Of weights, order and mixing.
    """

    def __init__(self, design: Design, data: Data, seed: int = 0) -> None:
        settings = TrainSettings(**design.settings(), steps=STEPS, seed=seed, device="cpu", out="nowhere")
        self.design, self.data, self.order = design, data, SampleOrder(len(data.train), design.samples, seed)
        torch.manual_seed(seed)
        model = build_model(settings.model, data.sample_shape, data.num_classes, settings.model_options)
        fabric = launched("cpu")
        length = Length(STEPS, design.updates_per_epoch(len(data.train)))
        self.learner = Learner.build(settings, fabric, model, data.num_classes, length)
        self.looked_at = AutocastModel(fabric, self.learner.bare)  # by methods that need a saliency
        self.step = 0
        for _ in range(WARM_UP):
            self.parts()

    def parts(self) -> dict[str, float]:
        """Do an update; return its seconds, those to load its samples, and those to mix them once more, apart."""
        mix = self.learner.course.at(self.step)
        begun = perf_counter()
        x, labels = next(self.data.train.batches(self.order, range(self.step, self.step + 1)))
        loaded = perf_counter()
        generator = torch.Generator().manual_seed(self.step)
        mix.apply(mix.plan(x, labels, model=self.looked_at, generator=generator), x, labels)
        mixed = perf_counter()
        self.learner.update(self.step, x, labels)
        ended = perf_counter()
        self.step += 1
        return {"update": loaded - begun + ended - mixed, "load": loaded - begun, "mix": mixed - loaded}

    def seconds(self, updates: int) -> float:
        """Return the seconds of so many updates in a row."""
        begun = perf_counter()
        for x, labels in self.data.train.batches(self.order, range(self.step, self.step + updates)):
            self.learner.update(self.step, x, labels)
            self.step += 1
        return perf_counter() - begun


@dataclass
class Epoch:
    """An epoch of one design.

    Args:
        trainee: The design at work.
        samples: N.
        updates: Of an epoch.
        timed: How many of them are timed.
        update: Seconds of one, by round.
    """

    trainee: Trainee
    samples: int
    updates: int
    timed: int
    update: list[float] = field(default_factory=list)


def time_updates(data: Data, designs: Iterable[Design], rounds: int) -> list[dict[str, Any]]:
    """Time single updates: each round all designs once, in a random order.

    Returns:
        For each design the seconds of an update, of loading and of mixing, by round.
    """
    trainees = [Trainee(design, data) for design in designs]
    times: dict[Design, dict[str, list[float]]] = {
        trainee.design: {"update": [], "load": [], "mix": []} for trainee in trainees
    }
    turns = random.Random(0)
    for _ in range(rounds):
        for trainee in turns.sample(trainees, len(trainees)):
            for name, seconds in trainee.parts().items():
                times[trainee.design][name].append(seconds)
    return [{"design": asdict(design), "times": found} for design, found in times.items()]


def time_epochs(
    data: Data, sizes: Iterable[int], designs: Sequence[Design], rounds: int, longest_s: float, updates: int
) -> list[dict[str, Any]]:
    """Time epochs over the first N samples: whole ones where they are short, else their first updates.

    Args:
        data: At least as many samples as the largest N.
        sizes: Each N.
        designs: What is timed.
        rounds: Each of them times every N and design once, in a random order.
        longest_s: An epoch that will take longer is not timed as a whole.
        updates: How many of its updates are then timed.

    Returns:
        For each N and design: how many updates an epoch has and how many were timed, and the seconds of one, by round.
    """
    found: list[Epoch] = []
    for size in sizes:
        subset = Data(data.train.subset(torch.arange(size)), data.test, data.num_classes)
        for seed, design in enumerate(designs):  # seeds of their own: none finds an order that another has shuffled
            trainee, whole = Trainee(design, subset, seed), round(design.updates_per_epoch(size))
            expected = trainee.seconds(WARM_UP) / WARM_UP * whole
            found.append(Epoch(trainee, size, whole, whole if expected < longest_s else min(updates, whole)))
    turns = random.Random(0)
    for done in range(1, rounds + 1):
        for epoch in turns.sample(found, len(found)):
            epoch.trainee.step = done * epoch.updates  # where an epoch begins
            epoch.update.append(epoch.trainee.seconds(epoch.timed) / epoch.timed)
    return [
        {"design": asdict(epoch.trainee.design)}
        | {name: getattr(epoch, name) for name in ("samples", "updates", "timed", "update")}
        for epoch in found
    ]


def all_samples(data: Data) -> Data:
    """Return the data with both splits to train on, in random order: for timing, never for errors."""
    train, test = data.train, data.test
    assert isinstance(train, HeldSplit)
    assert isinstance(test, HeldSplit)
    both = HeldSplit(torch.cat([train.x, test.x]), torch.cat([train.labels, test.labels]), train.prepare, train.augment)
    order = torch.randperm(len(both), generator=torch.Generator().manual_seed(0))
    return Data(both.subset(order), test, data.num_classes)
