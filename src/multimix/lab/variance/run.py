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
    best         equal_pairs, equal_rows: the K with least V × time; iid_theory: sqrt(own / floor · pair / mix)
    parts        none_because, or: norm, num_pairs, A, B, C, A_eff, C_eff, and checks: a list of designs with
                 predicted, predicted_if_independent (from A and C) and measured

An estimate is {"value", "low", "high", "n"}: a 95 % interval from n replicates; null is not finite.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from multimix.lab.config import VarianceSettings
from multimix.lab.data import Data
from multimix.lab.environment import check_device, environment
from multimix.lab.errors import Damaged, UsageError
from multimix.lab.evaluate import evaluate
from multimix.lab.json_file import read_json
from multimix.lab.lock import locked
from multimix.lab.models import import_model
from multimix.lab.moments import Moment
from multimix.lab.processes import launched
from multimix.lab.progress import duration
from multimix.lab.randomness import private_random_state
from multimix.lab.ranks import num_processes
from multimix.lab.run_folder import as_json, check_same
from multimix.lab.train import open_data_of
from multimix.lab.variance.cost import step_times
from multimix.lab.variance.designs import designs
from multimix.lab.variance.figure import variance_plot
from multimix.lab.variance.measuring import FLOOR_MIXES
from multimix.lab.variance.moment import Json, measure_moment
from multimix.lab.variance.parts import COEFFICIENTS
from multimix.lab.variance.probe import Probe
from multimix.lab.variance.training import trained
from multimix.lab.whole import write_json, write_whole

FILE, PICTURE = "variance.json", "variance.png"


def measure(
    settings: VarianceSettings,
    command: str,
    tell: Callable[[str], None] = lambda line: None,
    on_moment: Callable[[Json], None] = lambda moment: None,
    data: Data | None = None,
) -> Json:
    """Trains one run and measures its gradients' variance; what was measured before is read.

    Args:
        settings: What to measure.
        command: The command line, to be written down.
        tell: Told, in one line each, what is going on.
        on_moment: Called with each moment as it is known.
        data: Samples to use in place of those that the settings name.

    Returns:
        What variance.json holds.

    Raises:
        UsageError: if a setting does not fit, or the folder holds other measurements.
        RunFailed: if a gradient or a weight is not finite, or nothing can be written.
    """
    folder, asked = Path(settings.out), as_json(settings)
    if num_processes() > 1:
        raise UsageError(f"variance is measured by one process, got {num_processes()}; start it without torchrun")
    import_model(settings.model, settings.model_options)
    if (folder / FILE).exists():
        return _measured_before(folder / FILE, asked, on_moment)
    check_device(settings.device, settings.precision)
    fabric = launched(settings.device, settings.precision)
    data = (data or open_data_of(settings.run, 1)).to(fabric.device)
    if settings.validation_share:
        data = data.hold_out(settings.validation_share)
    length = settings.run.length(len(data.train))
    stops = sorted((min(length.steps, round(Moment.parse("at", at).step(length))), at) for at in settings.at)
    result: dict[str, Any] = {"settings": asked, "environment": environment(fabric.device, 1), "command": command}
    result["moments"] = []
    with locked(folder, tell), private_random_state(fabric.device):
        for (step, at), learner in zip(
            stops, trained(settings.run, fabric, data, [step for step, _ in stops]), strict=True
        ):
            probe = Probe.of(learner, data)
            if not result["moments"]:
                tell(_forecast(probe, settings))
            with fabric.autocast():
                error = evaluate(probe.model, data.test)["error"]
            moment = {"at": at, "step": step, "epoch": step / length.epoch, "error": error}
            moment |= measure_moment(probe, settings)
            result["moments"].append(moment)
            on_moment(moment)
        write_whole(folder / PICTURE, variance_plot(result, "png"))
        write_json(folder / FILE, result)
    return result


def _measured_before(file: Path, asked: Json, on_moment: Callable[[Json], None]) -> Json:
    try:
        there: Json = read_json(file, dict)
        if not isinstance(there.get("settings"), dict) or not isinstance(there.get("moments"), list):
            raise Damaged("it holds no settings with moments")
    except Damaged as error:
        raise UsageError(f"{FILE} must be readable, got {file}: {error}; remove it") from error
    check_same(there["settings"], asked, file.parent)
    for moment in there["moments"]:
        on_moment(moment)
    return there


def _forecast(probe: Probe, settings: VarianceSettings) -> str:
    """Says how much is to be computed, and about how long it takes."""
    asked = designs(settings, probe.has_batch_norm)
    rows = sum(design.rows for design in asked) + settings.batch_size * (2 * FLOOR_MIXES + COEFFICIENTS)
    total = rows * settings.replicates * len(settings.at)
    (time,) = step_times(probe, asked[:1])
    time_s = math.ceil(total * time.median_s / asked[0].rows)
    return (
        f"{len(settings.at)} moments × {len(asked)} designs × {settings.replicates} batches: {total:,} rows, "
        f"about {duration(time_s)}"
    )
