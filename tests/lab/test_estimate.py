"""How long a comparison will take, from the paces of trials."""

import pytest

from multimix.lab.compare.estimate import Pace, _trial, estimate
from multimix.lab.compare.rows import runs
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.compare.slots import Slots, ThisProcess
from multimix.lab.train.settings import TrainSettings


def test_a_run_is_its_start_its_steps_and_its_evaluations():
    pace = Pace(start_s=10.0, step_s=2.0, evaluation_s=0.5)
    assert pace.time_s(TrainSettings(steps=100, evaluations=4, out="o")) == 10 + 200 + 0.5 * 5
    assert pace.time_s(TrainSettings(steps=3, evaluations=25, out="o")) == 10 + 6 + 0.5 * 4


@pytest.mark.parametrize(("steps", "tried"), [(3, 3), (100, 6), (300, 12), (10_000, 20)])
def test_a_trial_is_short_and_knows_no_moments_of_the_run(steps, tried):
    run = TrainSettings(
        steps=steps, schedule="multistep:2,4", unmixed_first="2", validation_share=0.1, patience=3, out="o"
    )
    trial = _trial(run, "elsewhere")
    assert (trial.steps, trial.evaluations, trial.out) == (tried, 2, "elsewhere")
    assert (trial.schedule, trial.unmixed_first, trial.patience) == ("constant", "0", None)
    assert (trial.batch_size, trial.method, trial.validation_share) == (run.batch_size, run.method, 0.1)


def few(tmp_path, **changes):
    settings = {"methods": ("none", "mixup"), "num_mixes": (1,), "seeds": 2, "steps": 40, "out": str(tmp_path)}
    return [run for _, run in runs(CompareSettings(**settings | changes))]


def test_each_kind_of_run_is_tried_and_nothing_is_left_behind(tmp_path):
    tried = []

    class Noted(ThisProcess):
        def submit(self, work, run):
            tried.append((run.method, run.steps))
            return super().submit(work, run)

    (tmp_path / ".trials" / "old").mkdir(parents=True)
    planned = few(tmp_path)
    assert estimate(Slots(Noted, 1), planned, tmp_path) > 0
    assert tried == [("none", 6), ("mixup", 6)]
    assert not list(tmp_path.iterdir())


def test_a_trial_that_fails_leaves_the_others_to_tell(tmp_path):
    class Half(ThisProcess):
        def submit(self, work, run):
            return super().submit(_fail if run.method == "none" else work, run)

    def _fail(run, jobs):
        raise RuntimeError

    planned = few(tmp_path)
    assert estimate(Slots(Half, 1), planned, tmp_path) > 0
    assert estimate(Slots(Half, 1), [run for run in planned if run.method == "none"], tmp_path) is None
