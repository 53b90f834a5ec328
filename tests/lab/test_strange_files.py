"""Files of settings and results that are damaged, foreign or hostile: refused by name, and nothing else is lost."""

import json
import os
from contextlib import suppress

import pytest
from reported import made_up, made_up_variance, settings

from multimix.lab.command_line.main import main
from multimix.lab.compare.folder import Comparison
from multimix.lab.core.errors import Damaged, UsageError
from multimix.lab.core.json_file import MOST_DEPTH, read_json, read_json_lines, read_text
from multimix.lab.evaluate.runs import finished_runs
from multimix.lab.evaluate.settings import EvaluateSettings
from multimix.lab.report.gather import gather
from multimix.lab.report.results_file import read_results, write_results

BAD = {
    "empty": b"",
    "truncated": b'{"error": 0.1, "nl',
    "a list": b"[1, 2]",
    "deep": b'{"a":' * 100_000,
    "a little too deep": b'{"a":' * (MOST_DEPTH + 2) + b"1" + b"}" * (MOST_DEPTH + 2),
    "many digits": b'{"error": ' + b"9" * 400 + b"}",
    "a large exponent": b'{"error": 1e999}',
    "NaN": b'{"error": NaN}',
    "no UTF-8": b'{"error": "\xff"}',
}


@pytest.fixture
def folder(tmp_path):
    """A comparison of two runs, none-s0 and mixup-k1-s0."""
    return made_up(settings(tmp_path / "made", num_mixes=(1,), seeds=1))


def rows_of(results):
    return {row.row.name: len(row.runs) for row in results.rows}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_json_is_read_within_limits(content, tmp_path):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(Damaged, match=r"^it "):
        read_json(tmp_path / "a.json", dict)


def test_a_pipe_is_not_waited_for_a_link_not_followed_and_a_large_file_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "good.json").write_text('{"a": [1.5, -2, "x"]}')
    (tmp_path / "link.json").symlink_to(tmp_path / "good.json")
    for name, why in (("pipe.json", "it is no file"), ("link.json", "it is a link")):
        with pytest.raises(Damaged, match=why):
            read_json(tmp_path / name, dict)
    with pytest.raises(Damaged, match="larger than 5 bytes"):
        read_text(tmp_path / "good.json", most_bytes=5)
    assert read_json(tmp_path / "good.json", dict) == {"a": [1.5, -2, "x"]}


def test_of_several_lines_the_bad_one_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n[]\n')
    with pytest.raises(Damaged, match="line 2: it is no JSON object"):
        read_json_lines(tmp_path / "a.jsonl")


OTHER_TYPES = {
    "evaluation.json": [{"error": 1e300}, {f"m{i}": 1.0 for i in range(2000)}, {"reliability/07/count": 3}],
    "metrics.jsonl": [{}, {"step": "1"}, {"step": 1, "time_s": 1, "error": 0.5, "rows": 1, "images": 1}],
    "environment.json": [{}, {"device": "cpu", "processor": "", "threads": 0, "jobs": 1, "torch": "2"}],
    "data.json": [{}, {"labels_sha256": 3}],
    "row.json": [{}, {"method": "mixup"}, {"method": "mixup", "num_mixes": 0}, {"method": "m\x1b", "num_mixes": 1}],
    "config.json": [{"method": "mixup", "data": "digits", "seed": 0, "steps": "many"}, {"method": ["mixup"]}],
}


@pytest.mark.parametrize("name", OTHER_TYPES)
def test_a_damaged_file_costs_its_run_and_no_other(name, folder, capsys):
    for content in [*BAD.values(), *(json.dumps(value).encode() for value in OTHER_TYPES[name])]:
        file = folder / "mixup-k1-s0" / name
        before = file.read_bytes()
        file.write_bytes(content)
        told = []
        results = gather(Comparison.read(folder), told.append)
        assert rows_of(results) == {"none": 1, "mixup-k1": 0}, content[:60]
        (line,) = told
        assert line.startswith(f"{folder / 'mixup-k1-s0'} is left out: ")
        assert "mixup-k1-s0, which is damaged" in results.notes[0]
        file.write_bytes(before)
    assert rows_of(gather(Comparison.read(folder))) == {"none": 1, "mixup-k1": 1}


def test_a_report_goes_on_without_a_damaged_run_and_says_so(folder, capsys):
    (folder / "mixup-k1-s0" / "metrics.jsonl").write_text("{")
    assert main(["report", str(folder)]) == 1
    written = capsys.readouterr()
    assert "mixup-k1-s0 is left out: metrics.jsonl: line 1: it is no JSON" in written.err
    assert written.err.count("\n") == 1
    assert "Report: " in written.out
    assert "mixup-k1-s0, which is damaged: metrics.jsonl" in (folder / "report.html").read_text()


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
@pytest.mark.parametrize("name", ["compare.json", "results.json", "variance.json"])
def test_a_damaged_source_is_named_and_the_others_are_shown(name, content, folder, tmp_path, capsys):
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / name).write_bytes(content)
    source = bad / name if name == "results.json" else bad
    assert main(["report", str(source), str(folder), "-o", str(tmp_path / "r.csv")]) == 1
    assert str(bad) in capsys.readouterr().err
    assert "mixup" in (tmp_path / "r.csv").read_text()
    assert main(["report", str(source), "-o", str(tmp_path / "none.csv")]) == 2
    assert str(bad) in capsys.readouterr().err
    assert not (tmp_path / "none.csv").exists()


def changed(value, path, new):
    """Returns JSON with another value at one place; None takes it out."""
    head, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if rest:
        copy[head] = changed(value[head], rest, new)
    elif new is None:
        del copy[head]
    else:
        copy[head] = new
    return copy


ROW = ("comparisons", 0, "rows", 1)
CHANGES = [
    ((*ROW, "row", "control"), "equal-everything"),
    ((*ROW, "row", "method"), "mixpu"),
    ((*ROW, "row", "num_mixes"), 0),
    ((*ROW, "row", "alpha"), "0.2"),
    ((*ROW, "runs", 0, "cost", "time_s"), 0),
    ((*ROW, "runs", 0, "cost", "rows"), None),
    ((*ROW, "runs", 0, "evaluation", "error"), "0.1"),
    ((*ROW, "runs", 0, "environment"), 7),
    ((*ROW, "runs", 0, "environment"), -1),
    ((*ROW, "runs", 0, "seed"), "0"),
    ((*ROW, "runs", 0), []),
    ((*ROW, "curve"), {"step": [], "time_s": [], "error": [], "low": [], "high": []}),
    ((*ROW, "curve", "error"), [0.1]),
    ((*ROW, "curve", "step", 1), 1),
    ((*ROW, "failures"), {"one": "why"}),
    (("comparisons", 0, "environments", 0, "threads"), 0),
    (("comparisons", 0, "settings", "data"), []),
    (("comparisons", 0, "rows"), []),
    (("comparisons", 0, "name"), 3),
    (("comparisons",), {}),
]


def test_a_results_file_without_curves_is_shown_without_them(folder, tmp_path, capsys):
    write_results(tmp_path / "r.json", [gather(Comparison.read(folder))])
    good = json.loads((tmp_path / "r.json").read_text())
    stored = changed(changed(good, (*ROW[:-1], 0, "curve"), {}), (*ROW, "curve"), {})
    (tmp_path / "r.json").write_text(json.dumps(stored).replace('"curve": {}', '"curve": null'))
    assert main(["report", str(tmp_path / "r.json"), "-o", str(tmp_path / "r.html")]) == 0
    assert "Test error while training" not in (tmp_path / "r.html").read_text()
    capsys.readouterr()


def test_a_results_file_of_other_types_is_refused(folder, tmp_path):
    file = tmp_path / "r.json"
    write_results(file, [gather(Comparison.read(folder))])
    good = json.loads(file.read_text())
    assert read_results(file)
    accepted = []
    for path, new in CHANGES:
        file.write_text(json.dumps(changed(good, path, new)))
        with suppress(UsageError):
            accepted.append((path, new, read_results(file)))
    assert accepted == []


@pytest.mark.parametrize(
    "values",
    [
        {"batch_size": "120"},
        {"methods": "mixup"},
        {"seeds": 1.5},
        {"data_root": 3},
        {"methods": ["mixpu"]},
        {"num_mixes": list(range(1, 2000)), "controls": ["k-batch", "same-pairs"], "alphas": list(range(1, 2000))},
    ],
)
def test_settings_of_a_comparison_are_checked_when_they_are_read(values, folder):
    stored = json.loads((folder / "compare.json").read_text())
    stored["settings"] |= values
    (folder / "compare.json").write_text(json.dumps(stored))
    with pytest.raises(UsageError, match=r"compare\.json must be readable, got .*compare\.json: "):
        Comparison.read(folder)


def test_more_seeds_than_anybody_could_count_do_not_matter(folder):
    stored = json.loads((folder / "compare.json").read_text())
    stored["settings"]["seeds"] = 10**12
    (folder / "compare.json").write_text(json.dumps(stored))
    for name in ("none-s0", "mixup-k1-s0"):
        (folder / name / "model.safetensors").touch()
    found = finished_runs(EvaluateSettings(runs=(str(folder),)))
    assert [run.folder.path.name for run in found] == ["mixup-k1-s0", "none-s0"]


def test_a_damaged_compare_json_does_not_stop_a_comparison(tmp_path, capsys):
    comparison = Comparison(settings(tmp_path), "multimix compare")
    (tmp_path / "compare.json").write_text('{"settings": {')
    told = []
    comparison.write(told.append)
    assert told[0].startswith(f"{tmp_path / 'compare.json'} is damaged and written anew")
    assert Comparison.read(tmp_path).command == "multimix compare"


def test_a_link_out_of_a_comparison_is_not_followed(folder, tmp_path):
    (folder / "mixup-k1-s0").rename(tmp_path / "elsewhere")
    (folder / "mixup-k1-s0").symlink_to(tmp_path / "elsewhere")
    assert rows_of(gather(Comparison.read(folder))) == {"none": 1, "mixup-k1": 0}


def test_a_variance_file_of_other_types_is_refused(tmp_path, capsys):
    made_up_variance(tmp_path / "v")
    good = json.loads((tmp_path / "v" / "variance.json").read_text())
    for path, new in [(("moments", 0, "designs"), [3]), (("moments", 0, "error"), "x"), (("settings",), [])]:
        (tmp_path / "v" / "variance.json").write_text(json.dumps(changed(good, path, new)))
        assert main(["report", str(tmp_path / "v")]) == 2
        assert "variance.json must be readable, got" in capsys.readouterr().err
