"""What the next step depends on: taken out of a run between two steps, and put back.

Randomness is no part of it: every draw is a function of (seed, purpose, step, rank).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from multimix.lab.core.errors import Damaged, UsageError
from multimix.lab.train.checkpoint import Snapshot
from multimix.lab.train.run_folder import Record

JUDGED_BY = "validation_error"  # of a run that stops early: held-out samples of the training split, never the test's
Kind = tuple[tuple[int, ...], torch.dtype]


class Meter:
    """Loss and accuracy of each step since the last record. Adding waits for nothing; reading waits for the device.

    Args:
        capacity: Most steps between two records.
        device: Where the steps are computed.
    """

    NAMES = ("loss", "mixed_accuracy")

    def __init__(self, capacity: int, device: torch.device) -> None:
        self.values = torch.zeros(capacity, len(self.NAMES), device=device)
        self.count = 0

    def add(self, measured: Tensor) -> None:
        """Note one step: (2,) values in the order of `NAMES`."""
        self.values[self.count] = measured
        self.count += 1

    def clear(self) -> None:
        """Forget all steps."""
        self.count = 0

    def read(self) -> Tensor:
        """Return the (steps, 2) values so far, float64 on the CPU."""
        return self.values[: self.count].to("cpu", torch.float64)


@dataclass
class State:
    """A run between two steps.

    Args:
        models: Modules by name: the one that is trained, as `model`, and others that follow it.
        optimizer: Its optimizer.
        meter: Steps measured since the last record.
        scaler: What keeps half-precision gradients from vanishing, if there is one.
        step: Updates done.
        records: What was written down so far.
        times: What the stopwatch showed, by name.
    """

    models: dict[str, nn.Module]
    optimizer: Optimizer
    meter: Meter
    scaler: GradScaler | None = None
    step: int = 0
    records: list[Record] = field(default_factory=list)
    times: dict[str, float] = field(default_factory=lambda: {"time_s": 0.0, "cpu_time_s": 0.0})

    def own(self) -> dict[str, Tensor]:
        """Return a copy of what differs between processes that train together.

        That is what they measured, and statistics of their parts of the batches: DistributedDataParallel makes those
        alike only in the next training pass, and Puzzle Mix looks at the model before that.
        """
        return {"meter": self.meter.read()} | {name: buffer.detach().clone() for name, buffer in self._buffers()}

    def snapshot(self, own: Mapping[str, Tensor]) -> Snapshot:
        """Return a copy that later steps do not change.

        Args:
            own: What `own` returns in all processes, by name, (processes, ...).

        Raises:
            Damaged: if a weight is infinite or no number: such a state must not take a good one's place.
        """
        tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in self._tensors()} | dict(own)
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise Damaged(f"{name} is not finite")
        facts: dict[str, Any] = {"step": self.step, "records": self.records, "times": self.times}
        if self.scaler is not None:
            facts["scaler"] = {"scale": self.scaler.get_scale(), "growth_tracker": self.scaler._get_growth_tracker()}
        return Snapshot(tensors, facts)

    def check(self, snapshot: Snapshot, total_steps: int, processes: int) -> None:
        """Refuse a snapshot that this run cannot have written, before anything is changed.

        Raises:
            Damaged: saying what does not fit.
            UsageError: if it was written by another number of processes: they would draw other pairs.
        """
        _check_facts(snapshot.facts, total_steps, set(self.times), self.scaler is not None)
        records = snapshot.facts["records"]
        if "best" in self.models and not all(JUDGED_BY in record for record in records):
            raise Damaged(f"its records lack {JUDGED_BY}")
        meter = snapshot.tensors.get("meter")
        if meter is not None and meter.ndim == 3 and meter.shape[0] != processes:
            raise UsageError(
                f"a run goes on with as many processes as it began with, got {processes} for a run of "
                f"{meter.shape[0]}; start as many, or choose another --out"
            )
        since = snapshot.facts["step"] - (records[-1].get("step", 0) if records else 0)
        expected = {name: _kind(value) for name, value in self._tensors() if not name.startswith("optimizer.")}
        expected["meter"] = (processes, since, len(Meter.NAMES)), torch.float64
        expected |= {name: ((processes, *buffer.shape), buffer.dtype) for name, buffer in self._buffers()}
        slots = self._slots()
        for name, tensor in snapshot.tensors.items():
            kind = expected.get(name, slots.get(name))
            if kind is None:
                raise Damaged(f"it holds {name}, which this run does not have")
            if _kind(tensor) != kind:
                raise Damaged(f"its {name} is {tensor.dtype} {list(tensor.shape)}, which does not fit this run")
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise Damaged(f"its {name} is not finite")
        remembered = [f"optimizer.{key}.{name}" for name in self._remembered(snapshot) for key in self._keys]
        if missing := sorted({*expected, *remembered} - snapshot.tensors.keys()):
            raise Damaged(f"it lacks {missing[0]}")
        if not remembered:
            raise Damaged("it lacks what the optimizer remembers")

    def restore(self, snapshot: Snapshot, rank: int) -> None:
        """Put a checked snapshot back."""
        for name, module in self.models.items():
            module.load_state_dict(_under(snapshot.tensors, f"{name}."))
        for name, buffer in self._buffers():
            buffer.copy_(snapshot.tensors[name][rank])
        self._restore_optimizer(snapshot)
        values = snapshot.tensors["meter"][rank]
        self.meter.count = len(values)
        self.meter.values[: len(values)] = values.to(self.meter.values)
        self.step, self.records = snapshot.facts["step"], list(snapshot.facts["records"])
        self.times = dict(snapshot.facts["times"])
        if self.scaler is not None:
            scale, tracker = (snapshot.facts["scaler"][name] for name in ("scale", "growth_tracker"))
            self.scaler.load_state_dict(self.scaler.state_dict() | {"scale": scale, "_growth_tracker": tracker})

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for name, module in self.models.items():
            for key, value in module.state_dict().items():
                yield f"{name}.{key}", value
        for name, parameter in self._parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                if value is not None:
                    yield f"optimizer.{key}.{name}", value

    def _buffers(self) -> Iterator[tuple[str, Tensor]]:
        kept = self.models["model"].state_dict()
        for name, buffer in self.models["model"].named_buffers():
            if name in kept:
                yield f"own.{name}", buffer

    def _parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self.models["model"].named_parameters()

    @property
    def _keys(self) -> tuple[str, ...]:
        """The names of what the optimizer remembers of each parameter."""
        is_sgd = isinstance(self.optimizer, torch.optim.SGD)
        return ("momentum_buffer",) if is_sgd else ("step", "exp_avg", "exp_avg_sq")

    def _slots(self) -> dict[str, Kind]:
        """Return what the optimizer may remember, by name."""
        return {
            f"optimizer.{key}.{name}": ((), torch.float32) if key == "step" else _kind(parameter)
            for name, parameter in self._parameters()
            for key in self._keys
        }

    def _remembered(self, snapshot: Snapshot) -> list[str]:
        """The parameters of which the optimizer remembered something; a layer that is never used leaves no trace."""
        return [
            name
            for name, _ in self._parameters()
            if any(f"optimizer.{key}.{name}" in snapshot.tensors for key in self._keys)
        ]

    def _restore_optimizer(self, snapshot: Snapshot) -> None:
        names = {parameter: name for name, parameter in self._parameters()}
        ordered = [names[parameter] for group in self.optimizer.param_groups for parameter in group["params"]]
        state = {
            ordered.index(name): {key: snapshot.tensors[f"optimizer.{key}.{name}"] for key in self._keys}
            for name in self._remembered(snapshot)
        }
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})


def _kind(tensor: Tensor) -> Kind:
    return tuple(tensor.shape), tensor.dtype


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _check_facts(facts: Mapping[str, Any], total_steps: int, names: set[str], has_scaler: bool) -> None:
    def is_number(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

    step, records, times = (facts.get(name) for name in ("step", "records", "times"))
    if not (isinstance(step, int) and not isinstance(step, bool) and 0 < step <= total_steps):
        raise Damaged(f"its step is {step!r}, which must be an integer from 1 to {total_steps}")
    if not isinstance(records, list) or not all(
        isinstance(record, dict) and all(is_number(value) for value in record.values()) for record in records
    ):
        raise Damaged("its records are no list of named numbers")
    if not isinstance(times, dict) or set(times) != names or not all(is_number(value) for value in times.values()):
        raise Damaged(f"its times are no numbers named {', '.join(sorted(names))}")
    scaler = facts.get("scaler", {})
    fits = isinstance(scaler, dict) and set(scaler) == ({"scale", "growth_tracker"} if has_scaler else set())
    if not fits or not all(is_number(value) and value >= 0 for value in scaler.values()):
        raise Damaged("its gradient scale does not fit this run's precision")
