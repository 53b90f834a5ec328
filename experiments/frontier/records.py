"""What the runs have come to so far: one line of JSON for each, and the logits of those that are judged."""

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from multimix.lab.metrics import brier, ece, nll

Key = tuple[str, int, float, int]


@dataclass(frozen=True)
class Record:
    """One run.

    Args:
        arm: Name of the arm.
        length: Updates of the arm with K = 1 at the same rows.
        rate: Learning rate.
        seed: Seed.
        cpu_time_s: Processor time of training.
        commit: Commit of the code that ran.
        validation_error: Share of the validation samples that are classified wrong.
        validation_nll: In nats.
        error: Share of the test samples that are classified wrong.
        nll: In nats.
        ece: Expected calibration error, 15 bins.
        brier: In [0, 2].
        wrong: Which test samples were classified wrong: packed bits in base64, the first sample the highest bit.
        time_s: Training time by the clock, on a GPU; where runs shared it, what their updates take alone.
        values: What the library's evaluators say of the model, by name, where they were asked.
    """

    arm: str
    length: int
    rate: float
    seed: int
    cpu_time_s: float
    commit: str
    validation_error: float
    validation_nll: float
    error: float
    nll: float
    ece: float
    brier: float
    wrong: str
    time_s: float | None = None
    values: dict[str, float] | None = None

    @property
    def cost_s(self) -> float:
        """Seconds of training: of the processor, which others do not disturb, or by the clock where a GPU works."""
        return self.cpu_time_s if self.time_s is None else self.time_s

    @property
    def key(self) -> Key:
        """What run it is."""
        return self.arm, self.length, self.rate, self.seed


def judged(validation: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> dict[str, float | str]:
    """Return what a record says of logits and labels."""
    wrong = test[0].argmax(dim=1) != test[1]
    return {
        "validation_error": (validation[0].argmax(dim=1) != validation[1]).double().mean().item(),
        "validation_nll": nll(*validation),
        "error": wrong.double().mean().item(),
        "nll": nll(*test),
        "ece": ece(*test),
        "brier": brier(*test),
        "wrong": base64.b64encode(np.packbits(wrong.numpy()).tobytes()).decode(),
    }


def wrong_of(record: Record, num_test: int) -> np.ndarray:
    """Return which test samples a run classified wrong, (num_test,) bool."""
    bits = np.frombuffer(base64.b64decode(record.wrong), dtype=np.uint8)
    return np.unpackbits(bits, count=num_test).astype(bool)


class Records:
    """The records of a study, in a file to which finished runs are added.

    A line that a killed process left unfinished is dropped, and its run is done again.

    Args:
        folder: Where `records.jsonl` is or will be.
        kind: What a line holds.
    """

    def __init__(self, folder: Path, kind: type[Record] = Record) -> None:
        self.file = folder / "records.jsonl"
        self.all: dict[Key, Record] = {}
        if self.file.exists():
            text = self.file.read_text()
            whole = text[: text.rfind("\n") + 1]
            if whole != text:
                self.file.write_text(whole)
            for line in whole.splitlines():
                self._keep(kind(**json.loads(line)))

    def _keep(self, record: Record) -> None:
        self.all[record.key] = record

    def add(self, record: Record) -> None:
        """Add a finished run."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as file:
            file.write(json.dumps(asdict(record)) + "\n")
        self._keep(record)

    def of(self, arm: str, seeds: Iterable[int]) -> list[Record]:
        """Return the runs of an arm with some of the seeds."""
        wanted = set(seeds)
        return [record for record in self.all.values() if record.arm == arm and record.seed in wanted]


def save_logits(folder: Path, record: Record, logits: Tensor) -> None:
    """Keep the test logits of a run in half precision, so that other metrics can be computed later."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{record.arm.replace(' ', '-')}-{record.length}-{record.seed}.npy"
    np.save(folder / name, logits.to(torch.float16).numpy())
