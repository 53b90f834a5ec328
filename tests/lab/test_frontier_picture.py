"""The pictures that a report begins with: error against time, and paired differences."""

import re

import pytest
from reported import made_up, settings

from multimix.lab.compare.folder import Comparison
from multimix.lab.compare.rows import Row, rows, runs
from multimix.lab.core.errors import UsageError
from multimix.lab.report.forest import forests
from multimix.lab.report.frontier import frontiers
from multimix.lab.report.gather import gather
from multimix.lab.report.page import write_page
from multimix.lab.report.results_file import read_results, write_results
from multimix.lab.report.table import table

SEVERAL = {"steps": None, "lengths": (60, 30), "controls": ("same-rows", "small-batch"), "methods": ("none", "mixup")}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return gather(Comparison.read(made_up(settings(tmp_path_factory.mktemp("sweep") / "out", **SEVERAL))))


def texts(svg: str) -> list[str]:
    return re.findall(r">([^<>]+)</text>", svg)


def test_every_row_is_trained_at_every_length(tmp_path):
    asked = settings(tmp_path / "o", **SEVERAL, seeds=1)
    kinds = [Row("none", 1), Row("none", 5, "small-batch"), Row("mixup", 1)]
    kinds += [Row("mixup", 5, "same-rows"), Row("mixup", 5, "small-batch")]
    assert [(row.method, row.num_mixes, row.control, row.length) for row in rows(asked)] == [
        (kind.method, kind.num_mixes, kind.control, length) for kind in kinds for length in (60, 30)
    ]
    for row, run in runs(asked):
        assert run.steps == row.length * (5 if row.control == "small-batch" else 1)
        assert run.batch_size == (24 if row.control == "small-batch" else 120)
        assert run.num_mixes == (5 if row.control == "same-rows" else 1)
        assert row.reference is None or row.reference.length == row.length
    assert len({run.out for _, run in runs(asked)}) == len(rows(asked))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lengths": (30,), "steps": 60}, "lengths are given in place of steps and epochs"),
        ({"lengths": (30,), "epochs": 2}, "lengths are given in place of steps and epochs"),
        ({"lengths": (0,), "steps": None}, "lengths must be"),
        ({"lengths": (30, 30), "steps": None}, "lengths must differ"),
    ],
)
def test_lengths_that_cannot_be_are_refused(changes, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        settings(tmp_path, **{"steps": None} | changes)


def test_a_picture_per_method_has_a_line_per_kind_of_row(results):
    ((title, picture),) = frontiers(table(results))
    assert title == "mixup"
    shown = texts(picture)
    assert {"none", "none, K = 5, small-batch", "K = 1", "K = 5, same-rows", "K = 5, small-batch"} <= set(shown)
    assert {"processor time, s", "test error, %"} & set(shown)
    assert not frontiers(table(results)[:1])


def test_differences_have_a_picture_per_control_with_a_line_per_length(results):
    pictures = dict(forests(table(results)))
    assert list(pictures) == ["small-batch against K = 1", "same-rows against K = 1"]
    assert {"mixup, 30 steps", "mixup, 60 steps"} <= set(texts(pictures["same-rows against K = 1"]))
    assert "none, 30 steps" in texts(pictures["small-batch against K = 1"])


def test_lengths_go_through_a_results_file_and_onto_the_page(results, tmp_path):
    write_results(tmp_path / "r.json", [results])
    (again,) = read_results(tmp_path / "r.json")
    assert [row.row for row in again.rows] == [row.row for row in results.rows]
    write_page(tmp_path / "r.html", [again])
    html = (tmp_path / "r.html").read_text()
    assert html.index("Error against time</h2>") < html.index("Differences of error</h2>") < html.index("<table>")
    assert "60, 30 steps for K = 1" in html
    assert "A line\njoins the lengths" in html
