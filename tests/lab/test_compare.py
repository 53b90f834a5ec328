"""A small comparison from the command line to the page."""

import json
import re
import shutil

import pytest
from going_wrong import go_wrong

from multimix.lab.command_line.main import main
from multimix.lab.compare.folder import Comparison
from multimix.lab.compare.slots import Slots, ThisProcess
from multimix.lab.compare.workers import Worker
from multimix.lab.core.errors import Interrupted, InterruptedByCtrlC
from multimix.lab.report.gather import gather
from multimix.lab.report.table import table
from multimix.lab.train.settings import TrainSettings

ROWS = ["none", "mixup-k1", "mixup-k2-same-pairs", "mixup-k2-same-rows"]


def command(out, *more):
    flags = "--methods none,mixup --num-mixes 1,2 --controls same-pairs,same-rows"
    return [
        "compare",
        *flags.split(),
        *["--batch-size", "20", "--steps", "5", "--seeds", "2", "--jobs", "2"],
        "--out",
        str(out),
        *more,
    ]


@pytest.fixture(scope="module")
def first_try(tmp_path_factory):
    """A comparison with one run that cannot be written: a file lies where its folder should be.

    Its compare.json was cut off before, which is no hindrance.
    """
    out = tmp_path_factory.mktemp("compare") / "demo"
    out.mkdir()
    (out / "compare.json").write_text('{"settings": {')
    (out / "mixup-k1-s1").write_text("in the way")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["multimix", *command(out)])
        code = main(command(out))
    return out, code


@pytest.fixture
def comparison(first_try, tmp_path):
    return shutil.copytree(first_try[0], tmp_path / "demo"), first_try[1]


def test_a_failed_run_is_a_red_row_and_not_the_end(comparison):
    out, code = comparison
    assert code == 1
    finished = sorted(path.parent.name for path in out.glob("*/evaluation.json"))
    assert finished == sorted(f"{row}-s{seed}" for row in ROWS for seed in (0, 1) if (row, seed) != ("mixup-k1", 1))
    (row,) = [row for row in table(gather(Comparison.read(out))) if row.failures]
    assert row.row.name == "mixup-k1"
    assert len(row.results) == 1
    html = (out / "report.html").read_text()
    assert re.search(r"<strong>mixup-k1</strong>, seed 1: the folder of a run must be a folder, got the file", html)
    results = html.partition("<tbody>")[2].partition("</tbody>")[0]
    assert len(re.findall(r'<tr class="(first )?failed">', results)) == 1


def test_the_page_stands_alone_and_has_every_row(comparison):
    html = (comparison[0] / "report.html").read_text()
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    assert body.count("<tr") == len(ROWS)
    assert html.count("<svg") == 3  # error against time, and two curves; a single seed has no interval
    assert "--methods none,mixup" in html
    assert not re.search(r'(src|href)="?http|@import|url\(http', html)
    assert "#0303" not in html  # every stand-in colour was replaced


def test_what_rows_cost(comparison):
    rows = {row.row.name: row for row in table(gather(Comparison.read(comparison[0])))}
    seen = {name: (row.rows_seen, row.images_loaded) for name, row in rows.items()}
    assert seen == {
        "none": (100, 100),
        "mixup-k1": (100, 100),
        "mixup-k2-same-pairs": (200, 100),
        "mixup-k2-same-rows": (100, 50),
    }
    assert rows["none"].time_ratio == 1
    assert rows["mixup-k1"].time_ratio_reference is None
    assert rows["mixup-k2-same-pairs"].changes["error"].difference.n == 1  # only seed 0 has both
    assert not rows["mixup-k1"].changes


def test_the_same_command_does_only_what_is_missing(comparison, capsys):
    out, _ = comparison
    (out / "mixup-k1-s1").unlink()
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/model.safetensors")}
    assert main(command(out, "--jobs", "0")) == 0
    printed = capsys.readouterr().out
    assert "8 runs" in printed
    assert "7 of them finished before" in printed
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (out / "mixup-k1-s1" / "evaluation.json").exists()
    assert json.loads((out / "compare.json").read_text())["failures"] == {}
    assert main(command(out)) == 0
    assert "8 of them finished before" in capsys.readouterr().out


def test_another_comparison_is_refused_before_anything_runs(comparison, capsys):
    assert main(command(comparison[0], "--learning-rate", "0.2")) == 2
    assert "got learning_rate=0.2 for" in capsys.readouterr().err


def test_the_page_can_be_made_again_elsewhere(comparison, tmp_path, capsys):
    moved = comparison[0].rename(tmp_path / "moved")
    (moved / "report.html").unlink()
    assert main(["report", str(moved)]) == 0
    assert "mixup" in (moved / "report.html").read_text()


def outcomes_of(work, make, num_runs=3):
    """Seed -> why its run failed."""
    outcomes = {}
    slots = Slots(make, 1)
    try:
        runs = [TrainSettings(seed=seed, out=str(seed)) for seed in range(num_runs)]
        slots.all(work, runs, on_start=lambda run: None, on_end=lambda run, reason: outcomes.update({run.seed: reason}))
    finally:
        slots.close()
    return outcomes


FAILED = {0: None, 1: "for a reason", 2: "KeyError: 'odd'", 3: None}


def test_a_failed_run_tells_why_and_stops_no_other():
    assert outcomes_of(go_wrong, ThisProcess, 4) == FAILED


def test_a_dead_worker_takes_only_its_own_run_with_it():
    died = {4: "its process died: killed, or out of memory", 5: None}
    assert outcomes_of(go_wrong, lambda: Worker(jobs=1), 6) == FAILED | died


@pytest.mark.parametrize(
    ("stopped", "ends_with"), [(InterruptedByCtrlC, KeyboardInterrupt), (Interrupted, Interrupted)]
)
def test_an_interrupted_run_in_this_process_ends_them_all(stopped, ends_with):
    def stop(settings, jobs):
        raise stopped("stopped")

    with pytest.raises(ends_with):
        outcomes_of(stop, ThisProcess)
