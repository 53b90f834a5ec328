"""The runs of a follow-up: tuning of what study F did not choose, then seed by seed, all arms."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from experiments.followup.plan import Asked, Plan
from experiments.frontier.choose import Choice, choose
from experiments.frontier.protocol import TUNING_SEEDS, Arm
from experiments.frontier.records import Record, Records
from experiments.frontier.stages import Study, evaluated
from experiments.frontier.trial import logits_of, train
from multimix.lab.data import Data, Split
from multimix.lab.evaluate.adversarial import Adversarial
from multimix.lab.evaluate.calibration import Calibration
from multimix.lab.evaluate.corruption import Corruption
from multimix.lab.evaluate.evaluator import Evaluator

SHARES = (1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)  # of all updates of a run
EVALUATORS: tuple[Evaluator, ...] = (Calibration(), Corruption(), Adversarial())
GRID = 3  # lengths that are tried at every rate; longer ones only at the best rate, while the longest is the best


@dataclass(frozen=True)
class CourseRecord(Record):
    """One run of study M.

    Args:
        course: After each of `SHARES` of the updates: error on the clean training samples, error on the test samples.
            Empty for runs that only tune.
    """

    course: list[list[float]] = field(default_factory=list)


class FollowUp(Study):
    """A follow-up, its records so far, and how to add to them.

    Args:
        plan: What is run.
        data: All of the data set.
        folder: Of the records.
        say: Called with one line per finished run.
    """

    def __init__(self, plan: Plan, data: Data, folder: Path, say: Any) -> None:
        super().__init__(plan.protocol, data, folder, say)
        self.plan = plan

    def tune(self) -> dict[str, Choice]:
        """Do the tuning runs that are missing, and return what each arm trains with."""
        for asked in sorted(self.plan.asked(), key=lambda asked: asked.arm.method == "none"):  # the longest runs last
            if asked.tuned:
                lengths = lengths_of(self.plan, asked)
                for rate in self.protocol.rates:
                    for length in lengths[:GRID]:
                        self._tune(asked.arm, length, rate)
                for longer in lengths[GRID:]:
                    choice = choices_of(self.plan, self.records, [asked])[asked.arm.name]
                    if choice.reached:
                        break
                    self._tune(asked.arm, longer, choice.rate)
        return choices_of(self.plan, self.records, self.plan.asked())

    def _tune(self, arm: Arm, length: int, rate: float) -> None:
        for seed in range(TUNING_SEEDS, TUNING_SEEDS + self.protocol.tuning_seeds):
            self.run(arm, length, rate, seed)

    def finish(self, choices: dict[str, Choice]) -> None:
        """Do the final runs that are missing."""
        for seed in self.plan.seed_range():
            for asked in self.plan.asked():
                choice = choices[asked.arm.name]
                self.run(asked.arm, choice.length, choice.rate, seed)


class Why(FollowUp):
    """Study M: final runs keep their course."""

    kind: ClassVar[type[Record]] = CourseRecord

    def _trained(self, arm: Arm, data: Data, length: int, rate: float, seed: int) -> tuple[nn.Module, dict[str, Any]]:
        if seed < self.plan.first_seed:
            return super()._trained(arm, data, length, rate, seed)
        course: list[list[float]] = []
        stops = {round(share * length * arm.updates) for share in SHARES}

        def watch(updates: int, model: nn.Module) -> None:
            if updates in stops:
                model.eval()
                course.append([_error(model, split) for split in (data.train, data.test)])
                model.train()

        model, spent = train(self.protocol, arm, data, length, rate, seed, watch)
        return model, {**spent, "course": course}


class Quality(FollowUp):
    """Study Q: every model is put to the library's evaluators, with all test samples."""

    def _trained(self, arm: Arm, data: Data, length: int, rate: float, seed: int) -> tuple[nn.Module, dict[str, Any]]:
        model, found = super()._trained(arm, data, length, rate, seed)
        return model, found | {"values": evaluated(EVALUATORS, model, data)}


STUDIES: dict[str, type[FollowUp]] = {"why": Why, "quality": Quality}


def _error(model: nn.Module, split: Split) -> float:
    logits, labels = logits_of(model, split)
    return (logits.argmax(dim=1) != labels).double().mean().item()


def lengths_of(plan: Plan, asked: Asked) -> list[int]:
    """Return the lengths that an arm may be tuned at: half to four times the updates that study F chose."""
    length = plan.choices[asked.chosen].length
    return [length // 2, length, 2 * length, 4 * length]


def choices_of(plan: Plan, records: Records, several: Iterable[Asked]) -> dict[str, Choice]:
    """Return what each of several arms trains with: as study F chose, or by the tuning runs among the records."""
    seeds = range(TUNING_SEEDS, TUNING_SEEDS + plan.protocol.tuning_seeds)
    found = {}
    for asked in several:
        name = asked.arm.name
        tuning = records.of(name, seeds)
        found[name] = (
            choose(plan.protocol, asked.arm, tuning, plan.protocol.rates) if asked.tuned else plan.choices[asked.chosen]
        )
    return found
