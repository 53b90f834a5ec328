"""One run: data and a model in, weights and an evaluation out. Read it top to bottom; that is the order it runs in."""

import copy
import math
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from multimix.lab.core.lock import locked
from multimix.lab.core.machine import check_device, cores, environment
from multimix.lab.core.own_folder import check_no_file
from multimix.lab.core.processes import (
    check_shares,
    fail_if_peer_dies,
    launched,
    on_rank_zero,
)
from multimix.lab.core.randomness import private_random_state
from multimix.lab.core.ranks import num_processes
from multimix.lab.core.signals import Interruption
from multimix.lab.data import Data, check_places, open_data
from multimix.lab.models import import_model
from multimix.lab.train.checkpoint import Checkpoints
from multimix.lab.train.data_digest import labels_digest
from multimix.lab.train.initial_weights import model_at_start
from multimix.lab.train.learner import Learner
from multimix.lab.train.loop import OnStep, Run
from multimix.lab.train.run_folder import LABELS, Record, RunFolder, to_config
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.state import Meter, State
from multimix.lab.train.trackers.names import check_installed
from multimix.lab.train.trackers.tracked import Trackers

if TYPE_CHECKING:
    from lightning_fabric import Fabric

MAX_WORKERS = 8  # processes that read data; more wait for each other on one disk


def train(
    settings: TrainSettings,
    on_record: Callable[[Record], None] = lambda record: None,
    log: Callable[[str], None] = lambda line: None,
    jobs: int = 1,
    data: Data | None = None,
    on_step: OnStep = lambda step, time_s, meter, length: None,
) -> bool:
    """Train one model into the folder `settings.out`.

    A finished folder is left as it is. An unfinished one goes on from its newest good checkpoint, to the same bits as
    if it had never stopped; without one it starts from nothing.

    Args:
        settings: What to train.
        on_record: Called with each record as it is written.
        log: Called with one line per unusual event.
        jobs: How many runs share the machine; only written down.
        data: Samples to use in place of those that the settings name.
        on_step: Called after each step with the number of steps done, the seconds of training, what was measured since
            the last record, and the length of the run. It counts as training: reading the meter waits for the device.

    Returns:
        Whether there was anything to do.

    Raises:
        UsageError: if the folder holds a run with other settings, the device is missing, or the data, the model or the
            method cannot be used, by themselves or together.
        RunFailed: if the loss is no longer a number, or the state cannot be written or read.
        Interrupted: if a signal asked for the end; the state is saved.
    """
    import_model(settings.model, settings.model_options)
    folder = RunFolder(Path(settings.out))
    check_no_file(folder.path, "a run")
    check_device(settings.device, settings.precision)
    check_shares(settings.samples_per_step)
    check_installed(settings.trackers)
    if num_processes() == 1:  # what can be known without Fabric, whose import takes seconds
        if folder.holds_result(settings):
            return False
        if data is None:
            check_places(settings.data, settings.data_options, settings.data_root)
    fabric = launched(settings.device, settings.precision)
    with fail_if_peer_dies(fabric), ExitStack() as stack:
        if on_rank_zero(fabric, lambda: folder.holds_result(settings)):
            return False
        data = (data or open_data_of(settings, jobs * fabric.world_size)).to(fabric.device)
        if settings.validation_share and data.validation is not None:
            log(f"validation_share is not used: the data have a validation split, of {len(data.validation):,} samples")
        data = data.with_splits(settings.validation_share, settings.labels_per_class, settings.split_seed)
        if line := settings.repeated_samples(len(data.train)):
            log(line)
        run = _prepared(settings, fabric, folder, data, on_record, on_step)
        on_rank_zero(fabric, lambda: stack.enter_context(locked(folder.path, log)))
        run.resume(log)
        conditions, labels = environment(fabric.device, jobs), labels_digest(data)
        on_rank_zero(fabric, lambda: folder.start(settings, conditions, run.state.records, labels, data.skipped))
        names = settings.trackers if fabric.is_global_zero else ()
        trackers = Trackers(names, settings, run.state.records, log)
        with Interruption() as interruption, private_random_state(fabric.device), trackers as run.trackers:
            run.learner.course.load_kernels(run.learner.bare, data.sample_shape, fabric.device)
            run.loop(interruption)
            on_rank_zero(fabric, run.finish)
        fabric.barrier()  # none leaves while another still listens
    return True


def _prepared(
    settings: TrainSettings,
    fabric: "Fabric",
    folder: RunFolder,
    data: Data,
    on_record: Callable[[Record], None],
    on_step: OnStep,
) -> Run:
    settings.check_held_out(data.validation is not None)
    bare = model_at_start(settings, data, fabric)
    length = settings.length(len(data.train))
    learner = Learner.build(settings, fabric, bare, data.num_classes, length)
    models = {"model": bare}
    if learner.average is not None:
        models["average"] = learner.average
    if settings.patience is not None:
        models["best"] = copy.deepcopy(bare)
    meter = Meter(math.ceil(length.steps / settings.evaluations), fabric.device)
    scaler = getattr(fabric.strategy.precision, "scaler", None)
    return Run(
        settings=settings,
        fabric=fabric,
        folder=folder,
        data=data,
        learner=learner,
        state=State(models, learner.optimizer, meter, scaler),
        checkpoints=Checkpoints(folder.path / "checkpoint", to_config(settings) | {LABELS: labels_digest(data)}),
        on_record=on_record,
        on_step=on_step,
    )


def open_data_of(settings: TrainSettings, sharing: int) -> Data:
    """Open the data that the settings name.

    Args:
        settings: The run's.
        sharing: Processes that share the machine: each reads the data with its part of the cores.
    """
    num_workers = settings.num_workers
    if num_workers is None:
        num_workers = min(max(1, cores() // sharing), MAX_WORKERS)
    return open_data(
        settings.data,
        settings.data_options,
        root=settings.data_root,
        on_bad_file=settings.on_bad_file,
        num_workers=num_workers,
    )
