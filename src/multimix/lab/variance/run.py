"""`multimix variance`: one run, looked at where asked, and DIR/variance.json, written whole; variance.png shows it.

variance.json:
  settings     what was asked, by name; "out" is left out
  environment  machine, versions, threads: the conditions of all times
  command      the command line
  moments      a list, in rising order, of
    at, step, epoch, error                     when, and the test error then (a fraction)
    designs      a list: kind, num_mixes (K), num_pairs, mixes_per_pair, rows, sampling, share, partners, norm, and
      variance, squared_mean, relative         V, |G|^2 and V / |G|^2
      to_one                                   V over that of K = 1 drawn alike
      mixes_to_large                           of "K P pairs × 1": V of P pairs × K over its own (Prop. III.2)
      time_s, variance_time_to_one             where the draw is the configured one: seconds of a step; V × time
    clipped      K = 1, each gradient shortened to clip_norm: the same estimates
    floor        num_pairs, num_mixes, common (the variance for K to infinity), own (what num_mixes i.i.d. mixes add),
                 to_one (common over the V of K = 1, as configured)
    cost         step_s + P (pair_s + K mix_s): seconds; error: relative, of the fit
    best         same_pairs, same_rows: the K with least V × time; iid_theory: sqrt(own / floor · pair / mix)
    parts        none_because, or: norm, num_pairs, A, B, C, A_eff, C_eff, and checks: a list of designs with
                 predicted, predicted_if_independent (from A and C) and measured

An estimate is {"value", "low", "high", "n"}: a 95 % interval from n replicates; null is not finite.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multimix.lab.core.atomic_files import write_atomic, write_json
from multimix.lab.core.errors import Damaged, RunFailed, UsageError
from multimix.lab.core.json_file import read_json
from multimix.lab.core.lock import locked
from multimix.lab.core.machine import check_device, environment
from multimix.lab.core.own_folder import check_no_file
from multimix.lab.core.processes import launched
from multimix.lab.core.progress_bar import Advance
from multimix.lab.core.randomness import private_random_state
from multimix.lab.core.ranks import num_processes
from multimix.lab.data import Data, SampleOrder
from multimix.lab.metrics import evaluate
from multimix.lab.models import import_model
from multimix.lab.train.initial_weights import model_at_start
from multimix.lab.train.learner import Learner
from multimix.lab.train.moments import Moment
from multimix.lab.train.progress import duration
from multimix.lab.train.run import open_data_of
from multimix.lab.train.run_folder import check_same, to_config
from multimix.lab.train.settings import TrainSettings
from multimix.lab.variance.cost import step_times
from multimix.lab.variance.designs import designs
from multimix.lab.variance.figure import variance_plot
from multimix.lab.variance.moment import Json, measure_moment, rows_of_moment
from multimix.lab.variance.probe import Probe
from multimix.lab.variance.settings import VarianceSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

FILE, PICTURE = "variance.json", "variance.png"
MOMENT = {"at", "step", "epoch", "error", "designs", "parts"}  # what is printed of a moment, at least


def measure(
    settings: VarianceSettings,
    command: str,
    log: Callable[[str], None] = lambda line: None,
    on_moment: Callable[[Json], None] = lambda moment: None,
    data: Data | None = None,
    advance: Advance = lambda what, share: None,
) -> Json:
    """Train one run and measure its gradients' variance; what was measured before is read.

    Args:
        settings: What to measure.
        command: The command line, to be written down.
        log: Called with one line per stage.
        on_moment: Called with each moment as it is known.
        data: Samples to use in place of those that the settings name.
        advance: Told what is being done, and which share of the whole has just been done.

    Returns:
        What variance.json holds.

    Raises:
        UsageError: if a setting does not fit, or the folder holds other measurements.
        RunFailed: if a gradient or a weight is not finite, or nothing can be written.
    """
    folder, asked = Path(settings.out), to_config(settings)
    if num_processes() > 1:
        raise UsageError(f"variance is measured by one process, got {num_processes()}; start it without torchrun")
    import_model(settings.model, settings.model_options)
    check_no_file(folder, "a measurement")
    if (folder / FILE).exists():
        return _measured_before(folder / FILE, asked, on_moment)
    check_device(settings.device, settings.precision)
    fabric = launched(settings.device, settings.precision)
    data = (data or open_data_of(settings.run, 1)).to(fabric.device)
    data = data.with_splits(settings.validation_share, settings.labels_per_class, settings.split_seed)
    if line := settings.run.repeated_samples(len(data.train)):
        log(line)
    length = settings.run.length(len(data.train))
    stops = sorted((min(length.steps, round(Moment.of_run("at", at).step(length))), at) for at in settings.at)
    result: dict[str, Any] = {"settings": asked, "environment": environment(fabric.device, 1), "command": command}
    result["moments"] = []
    total = 1

    def seen(what: str, rows: int) -> None:
        advance(what, rows / total)

    with private_random_state(fabric.device):
        at_first = [0, *(step for step, _ in stops)]
        learners = trained(settings.run, fabric, data, at_first, lambda: seen("training", settings.batch_size))
        start = Probe.of(next(learners), data)  # what does not fit is refused here, before there is a folder
        start.check_room(settings.replicates)
        with locked(folder, log):
            total = _forecast(start, settings, stops[-1][0], log)
            for (step, at), learner in zip(stops, learners, strict=True):
                probe = Probe.of(learner, data)
                with fabric.autocast():
                    error = evaluate(probe.model, data.test)["error"]
                moment = {"at": at, "step": step, "epoch": step / length.epoch, "error": error}
                moment |= measure_moment(probe, settings, partial(seen, f"measuring at {at}"))
                result["moments"].append(moment)
                on_moment(moment)
            write_json(folder / FILE, result)
            write_atomic(folder / PICTURE, variance_plot(result, "png"))
    return result


def _measured_before(file: Path, asked: Json, on_moment: Callable[[Json], None]) -> Json:
    try:
        there: Json = read_json(file, dict)
        if not isinstance(there.get("settings"), dict) or not isinstance(there.get("moments"), list):
            raise Damaged("it holds no settings with moments")
        if not all(isinstance(moment, dict) and moment.keys() >= MOMENT for moment in there["moments"]):
            raise Damaged(f"a moment of it lacks one of {', '.join(sorted(MOMENT))}")
    except Damaged as error:
        raise UsageError(f"{FILE} must be readable, got {file}: {error}; remove it") from error
    check_same(there["settings"], asked, file.parent)
    for moment in there["moments"]:
        on_moment(moment)
    if not (file.parent / PICTURE).exists():
        write_atomic(file.parent / PICTURE, variance_plot(there, "png"))
    return there


def _forecast(probe: Probe, settings: VarianceSettings, steps: int, log: Callable[[str], None]) -> int:
    """Say how much is to be computed, and about how long it takes; return the rows."""
    asked = designs(settings, probe.has_batch_norm)
    training = steps * settings.batch_size
    total = training + rows_of_moment(probe, settings) * len(settings.at)
    (time,) = step_times(probe, asked[:1])
    log(
        f"{steps} steps, then {len(settings.at)} moments × {len(asked)} designs × {settings.replicates} batches: "
        f"{total:,} rows, about {duration(math.ceil(total * time.median_s / asked[0].rows))}"
    )
    return total


def trained(
    settings: TrainSettings,
    fabric: "Fabric",
    data: Data,
    stops: Sequence[int],
    on_step: Callable[[], None] = lambda: None,
) -> Iterator[Learner]:
    """Yield what learns, after so many updates, in rising order; the updates are those of `multimix train`.

    Args:
        settings: The run's.
        fabric: Device and precision.
        data: What is trained on.
        stops: Updates after which it is yielded.
        on_step: Called after each update.

    Raises:
        UsageError: if the data, the model and the length of the run do not fit together.
        RunFailed: if a weight is no longer finite.
    """
    length = settings.length(len(data.train))
    learner = Learner.build(settings, fabric, model_at_start(settings, data, fabric), data.num_classes, length)
    order = SampleOrder(len(data.train), settings.samples_per_step, settings.seed)
    batches = data.train.batches(order, range(max(stops)))
    done = 0
    for stop in stops:
        for _ in range(stop - done):
            learner.update(done, *next(batches))
            done += 1
            on_step()
        if not all(parameter.isfinite().all() for parameter in learner.bare.parameters()):
            raise RunFailed(f"the weights must stay finite, got some that are not by step {stop}; lower learning_rate")
        yield learner
