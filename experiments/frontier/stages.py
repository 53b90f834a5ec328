"""The runs of a study in their order: tuning first, then the final seeds, seed by seed."""

import math
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

import torch
from torch import nn

from experiments.frontier.choose import Choice, choose, final_lengths, is_done, means
from experiments.frontier.protocol import FINAL_SEEDS, TUNING_SEEDS, Arm, Protocol
from experiments.frontier.records import Record, Records, judged, save_logits
from experiments.frontier.samples import draw
from experiments.frontier.trial import logits_of, train
from multimix.lab.data import Data
from multimix.lab.evaluate.evaluator import Evaluator
from multimix.lab.evaluate.localization import Localization

DIGITS = 6  # of an evaluator's numbers


class Study:
    """A data set, the records so far, and how to add to them.

    Args:
        protocol: What is compared.
        data: All of the data set.
        folder: Of the records.
        say: Called with one line per finished run.
        device: Where to train.
        minutes: After these no further run is begun.
    """

    kind: ClassVar[type[Record]] = Record

    def __init__(
        self,
        protocol: Protocol,
        data: Data,
        folder: Path,
        say: Callable[[str], None],
        device: torch.device = torch.device("cpu"),  # noqa: B008  frozen
        minutes: float = math.inf,
    ) -> None:
        self.protocol, self.data, self.folder, self.say, self.device = protocol, data, folder, say, device
        self.until = monotonic() + 60 * minutes
        self.records = Records(folder, self.kind)
        self.commit = commit()
        self._drawn: tuple[int, Data] | None = None

    def tune(self) -> dict[str, Choice]:
        """Do the tuning runs that are missing, and return what each arm trains with."""
        seeds = range(TUNING_SEEDS, TUNING_SEEDS + self.protocol.tuning_seeds)
        lengths = self.protocol.all_lengths()
        choices: dict[str, Choice] = {}
        for arm in self.protocol.arms():
            rates = [choices[f"{arm.method} {arm.rate_of}"].rate] if arm.rate_of else list(self.protocol.rates)
            limit = self.protocol.rates_up_to or lengths[-1]
            for rate in rates:
                self._try_lengths(arm, rate, [length for length in lengths if length <= limit])
            best = choose(self.protocol, arm, self.records.of(arm.name, seeds), rates)
            self._try_lengths(arm, best.rate, lengths)
            choices[arm.name] = choose(self.protocol, arm, self.records.of(arm.name, seeds), rates)
        return choices

    def _try_lengths(self, arm: Arm, rate: float, lengths: Sequence[int]) -> None:
        """Try longer and longer runs at one rate, until they are no better."""
        seeds = range(TUNING_SEEDS, TUNING_SEEDS + self.protocol.tuning_seeds)
        for length in lengths:
            known = means(self.records.of(arm.name, seeds), rate)
            earlier = {known_length: known[known_length] for known_length in known if known_length < length}
            if is_done(earlier, self.protocol.all_lengths()):
                break
            for seed in seeds:
                self.run(arm, length, rate, seed)

    def finish(self, choices: dict[str, Choice]) -> None:
        """Do the final runs that are missing: each arm at its rate, up to one length beyond its best."""
        for seed in range(FINAL_SEEDS, FINAL_SEEDS + self.protocol.final_seeds):
            for arm in self.protocol.arms():
                choice = choices[arm.name]
                for length in final_lengths(self.protocol, choice):
                    self.run(arm, length, choice.rate, seed, keep_logits=length == choice.length)

    def run(self, arm: Arm, length: int, rate: float, seed: int, keep_logits: bool = False) -> None:
        """Do one run, unless it was done before.

        Raises:
            TimeoutError: if there is no time left to begin one.
        """
        if (arm.name, length, rate, seed) in self.records.all:
            return
        if self.is_late():
            raise TimeoutError("no run is begun any more; the same command goes on")
        record, logits = self.trained(arm, length, rate, seed)
        if keep_logits:
            save_logits(self.folder / "logits", record, logits)
        self.add(record)

    def is_late(self) -> bool:
        """Whether no further run is begun."""
        return monotonic() > self.until

    def add(self, record: Record) -> None:
        """Add a finished run to the records."""
        self.records.add(record)
        self.say(
            f"{record.arm}, {record.length} updates, rate {record.rate:g}, seed {record.seed}: "
            f"{100 * record.error:.1f} %, {record.cost_s:.1f} s"
        )

    def again(self, arm: Arm, seeds: Iterable[int]) -> bool:
        """Do recorded runs of an arm anew, write nothing, and say of each whether the same samples are wrong.

        Returns:
            Whether all are as recorded.
        """
        same = True
        for known in self.records.of(arm.name, seeds):
            record, _ = self.trained(arm, known.length, known.rate, known.seed)
            same &= record.wrong == known.wrong
            verdict = "as recorded" if record.wrong == known.wrong else f"recorded {100 * known.error:.1f} %"
            self.say(f"{arm.name}, {known.length} updates, seed {known.seed}: {100 * record.error:.1f} %, {verdict}")
        return same

    def trained(self, arm: Arm, length: int, rate: float, seed: int) -> tuple[Record, torch.Tensor]:
        """Train and judge: return the record and the test logits."""
        data = self.samples(seed)
        model, found = self._trained(arm, data, length, rate, seed)
        assert data.validation is not None
        validation, test = logits_of(model, data.validation), logits_of(model, data.test)
        found |= judged(validation, test)
        return self.kind(arm.name, length, rate, seed, commit=self.commit, **found), test[0]

    def _trained(self, arm: Arm, data: Data, length: int, rate: float, seed: int) -> tuple[nn.Module, dict[str, Any]]:
        """Train: return the model, and what a record says besides how it judges."""
        model, found = train(self.protocol, arm, data, length, rate, seed)
        if self.protocol.localization and seed >= FINAL_SEEDS:
            return model, {**found, "values": evaluated([Localization()], model, data)}
        return model, dict(found)

    def samples(self, seed: int) -> Data:
        """Return the splits of a seed, on the device."""
        if self._drawn is None or self._drawn[0] != seed:
            self._drawn = seed, draw(self.data, self.protocol, seed).to(self.device)
        return self._drawn[1]


def evaluated(evaluators: Sequence[Evaluator], model: nn.Module, data: Data) -> dict[str, float]:
    """Return what evaluators say of a model, by name."""
    return {name: round(value, DIGITS) for each in evaluators for name, value in each(model, data).items()}


def commit() -> str:
    """Return the commit of the code, with a + if files were changed since."""
    here = Path(__file__).parent
    ask = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return "unknown"
    return done.stdout.strip() or "unknown"


def one_thread() -> None:
    """Compute with one thread: times are processor times, and several studies may share a machine."""
    torch.set_num_threads(1)
