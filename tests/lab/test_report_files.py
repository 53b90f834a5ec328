"""Results files, tables for elsewhere, and which runs of a folder are reported."""

import csv
import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from reported import ENVIRONMENT, everything, made_up, made_up_variance, settings

from multimix.lab.command_line.main import main
from multimix.lab.compare.folder import Comparison
from multimix.lab.compare.rows import Row, rows
from multimix.lab.core.errors import UsageError
from multimix.lab.core.plain_console import PlainConsole
from multimix.lab.report.gather import gather
from multimix.lab.report.grids import grids
from multimix.lab.report.latex import escaped
from multimix.lab.report.markdown import escaped as in_markdown
from multimix.lab.report.results_file import read_results, write_results
from multimix.lab.report.table import table
from multimix.lab.report.terminal import print_tables


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_up(settings(tmp_path_factory.mktemp("report") / "made_up"), everything)


def results_of(folder):
    return gather(Comparison.read(folder))


def test_tables_from_a_results_file_are_those_from_the_folders(folder, tmp_path, capsys):
    written = tmp_path / "results.json"
    assert main(["report", str(folder), "-o", str(written)]) == 0
    (again,) = read_results(written)
    assert again == results_of(folder)
    assert table(again) == table(results_of(folder))
    outputs = [f"{tmp_path}/{name}" for name in ("a.md", "b.md", "a.csv", "b.csv", "a.tex", "b.tex", "again.json")]
    assert main(["report", str(folder), "-o", ",".join(outputs[0:6:2])]) == 0
    assert main(["report", str(written), "--output", ",".join([*outputs[1:6:2], outputs[6]])]) == 0
    for suffix in ("md", "csv", "tex"):
        assert (tmp_path / f"a.{suffix}").read_text() == (tmp_path / f"b.{suffix}").read_text()
    assert (tmp_path / "again.json").read_bytes() == written.read_bytes()
    assert "results.json" in capsys.readouterr().out


def test_a_results_file_is_json_with_a_line_per_run(folder, tmp_path):
    write_results(tmp_path / "r.json", [results_of(folder)])
    text = (tmp_path / "r.json").read_text()
    (stored,) = json.loads(text)["comparisons"]
    runs = [run for row in stored["rows"] for run in row["runs"]]
    assert len(runs) == 4 * 3
    assert sum(line.startswith('  {"seed": ') for line in text.splitlines()) == len(runs)
    assert stored["core_hours"] == pytest.approx(12 * 0.45 * 12 / 3600, rel=1e-5)
    assert stored["environments"] == [ENVIRONMENT]
    assert set(runs[0]["cost"]) == {"step", "time_s", "cpu_time_s", "rows", "images"}
    assert len(stored["rows"][0]["curve"]["error"]) == 12
    assert all(len(number.replace("0.", "")) <= 7 for number in re.findall(r'"error": ([\d.]+)', text))
    bins = runs[0]["bins"]["reliability"]
    assert bins["count"][7::7] == [10.0, 10.0]
    assert bins["count"][0] is None


def test_the_median_of_the_last_ten_records(folder):
    (row, *_) = table(results_of(folder))
    run = row.results[0]
    # Records 3 to 12 have the final error + 0.3 / number: the median is between those of 7 and 8.
    assert run.evaluation["error_last_10"] == pytest.approx(run.evaluation["error"] + 0.3 * (1 / 7 + 1 / 8) / 2, 1e-4)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "multimix results 1", "comparisons": [{}]}'])
def test_other_files_are_refused(text, tmp_path, capsys):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UsageError, match="a results file must be one that multimix report"):
        read_results(tmp_path / "x.json")
    assert main(["report", str(tmp_path / "x.json"), "-o", str(tmp_path / "x.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["-o", "r.txt"], "output must end in one of .html, .json, .csv, .tex, .md, got output='r.txt'"),
        (["-o", "r.md,r.md"], "output must differ"),
        (["nowhere", "-o", "r.md"], "or a results .json, got 'nowhere'"),
        (["--outptu", "r.md"], "did you mean --output?"),
    ],
)
def test_bad_usage(more, message, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(folder), *more]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_needs_a_comparison_or_a_folder(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made_up_variance(tmp_path / "v")
    assert main(["report", "v", "-o", "x.csv"]) == 2
    assert "results and tables are of comparisons, got output='x.csv'" in capsys.readouterr().err
    assert main(["report", str(folder), "-o", "r.json"]) == 0
    assert main(["report", "r.json"]) == 2
    assert "output must be given where no source is a folder" in capsys.readouterr().err
    (tmp_path / "v" / "variance.json").write_text("{}")
    assert main(["report", "v"]) == 2
    assert "variance.json must be readable" in capsys.readouterr().err
    assert main(["report"]) == 2
    assert "report needs sources" in capsys.readouterr().err


def test_csv_has_a_line_for_every_row_and_number(folder, tmp_path):
    assert main(["report", str(folder), "-o", str(tmp_path / "r.csv")]) == 0
    with (tmp_path / "r.csv").open() as file:
        lines = list(csv.DictReader(file))
    found = {(line["method"], line["num_mixes"], line["control"], line["metric"]): line for line in lines}
    assert len(found) == len(lines)
    (row,) = [row for row in table(results_of(folder)) if row.row.name == "mixup-k5-same-pairs"]
    line, change = found["mixup", "5", "same-pairs", "error"], row.changes["error"]
    assert (line["source"], line["data"], line["n"], line["pairs"]) == ("made_up", "digits", "3", "3")
    assert (line["reference"], line["verdict"]) == ("mixup-k1", change.verdict)
    for title, value in {
        "mean": row.metrics["error"].mean,
        "difference_low": change.difference.low,
        "p_t": change.paired.p_t,
        "p_holm": change.p_holm,
        "effect_size": change.paired.effect_size,
        "detectable": change.paired.detectable,
    }.items():
        assert float(line[title]) == pytest.approx(value, rel=1e-5), title
    assert line["p_signed_rank"] == ""
    assert found["mixup", "5", "same-pairs", "ood_auroc"]["better"] == "higher"
    assert float(found["none", "1", "", "cpu_time_s"]["mean"]) == 5.4
    assert {line["metric"] for line in lines if "/" in line["metric"]} == {"linearity/0.1"}


@pytest.mark.parametrize("name", ["error", "nll", "ood_auroc"])
def test_holms_family_is_a_tables_comparisons_of_one_number(name, folder):
    changes = [row.changes[name] for row in table(results_of(folder)) if row.changes]
    smaller, larger = sorted(changes, key=lambda change: change.paired.p_t)
    assert smaller.p_holm == pytest.approx(min(1, 2 * smaller.paired.p_t))
    assert larger.p_holm == pytest.approx(max(smaller.p_holm, larger.paired.p_t))


def test_markdown_has_all_tables(folder, tmp_path):
    assert main(["report", str(folder), "-o", str(tmp_path / "r.md")]) == 0
    text = (tmp_path / "r.md").read_text()
    titles = re.findall(r"^### (.*)$", text, flags=re.MULTILINE)
    assert titles == [
        "Results",
        "Error in other ways",
        "Calibration",
        "Calibration after temperature scaling",
        "Robustness",
        "Other numbers",
        "How sure: differences of error",
        "Costs",
        "Time to a test error of 7.63 %",
    ]
    for table_text in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table_text.splitlines()}) == 1
    assert re.search(r"\| mixup \| 5 \| same-pairs \| 3 \| \d\.\d\d ± \d\.\d\d", text)
    assert "AUROC of other data (▲ better), %" in text
    assert "sharpness" in text
    assert "linearity/" not in text


def test_comparisons_of_one_name_are_told_apart_and_none_is_counted_twice(folder, tmp_path, capsys):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    same = [shutil.copytree(folder, tmp_path / place / "same") for place in "ab"]
    output = tmp_path / "both.csv"
    assert main(["report", *map(str, same), "-o", str(output)]) == 0
    with output.open() as file:
        assert {line["source"] for line in csv.DictReader(file)} == {"a/same", "b/same"}
    saved = tmp_path / "a" / "same.json"
    assert main(["report", str(same[0]), "-o", str(saved)]) == 0
    assert main(["report", str(same[0]), str(saved), "-o", str(output)]) == 0
    with output.open() as file:
        assert len({line["source"] for line in csv.DictReader(file)}) == 2
    capsys.readouterr()
    assert main(["report", str(same[0]), f"{same[0]}/../same"]) == 2
    assert "sources must differ, got sources=" in capsys.readouterr().err


@pytest.mark.parametrize(("width", "left_out"), [(160, ""), (70, "images; rows; vs K=1"), (40, "NLL")])
def test_a_narrow_terminal_does_without_columns_and_says_so(width, left_out, folder, capsys):
    rows = table(results_of(folder))
    console = PlainConsole(width=width, force_terminal=False)
    print_tables(rows, console)
    said = " ".join(capsys.readouterr().out.split())
    assert ("Columns left out, as the terminal is narrow" in said) == bool(left_out)
    assert left_out in said
    assert "…" not in said


def test_markdown_is_escaped():
    assert in_markdown(r"a_b | *c* <d> \e") == r"a\_b \| \*c\* \<d> \\e"


def test_latex_is_escaped(folder, tmp_path):
    assert escaped("50 % & a_b ± 1 − ▲ ü") == r"50 \% \& a\_b $\pm$ 1 $-$ $\bigtriangleup$ ?"
    assert main(["report", str(folder), "-o", str(tmp_path / "r.tex")]) == 0
    text = (tmp_path / "r.tex").read_text()
    assert text.isascii()
    assert text.count(r"\toprule") == text.count(r"\begin{table}") == 9
    assert not re.search(r"(?<!\\)_", text)
    if shutil.which("pdflatex"):
        (tmp_path / "d.tex").write_text(
            r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{r.tex}\end{document}"
        )
        command = ["pdflatex", "-halt-on-error", "d.tex"]
        assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False).returncode == 0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"alphas": (0.2, 1e-05, 4.0)},
        {"data": ("digits", "synthetic"), "model": "mlp"},
        {"variants": {"iid-alpha": {"sampling": "iid"}, "equal": {"learning_rate": 0.2}}},
        {"num_mixes": (1, 2), "controls": ("k-batch", "same-images", "k-updates", "small-batch")},
    ],
)
def test_runs_say_which_row_they_are_of_whatever_their_folders_are_called(changes, tmp_path):
    asked = settings(tmp_path, **changes)
    made_up(replace(asked, seeds=1))
    for number, folder in enumerate(sorted(tmp_path.glob("*/"))):
        folder.rename(tmp_path / f"run-{number}")
    results = results_of(tmp_path)
    assert [row.row for row in results.rows] == rows(asked)
    assert [len(row.runs) for row in results.rows] == [1] * len(results.rows)
    assert results.notes == []


def test_what_an_earlier_command_made_is_not_lost(tmp_path):
    made_up(settings(tmp_path, methods=("none", "mixup"), seeds=4))
    made_up(settings(tmp_path, methods=("cutmix",), num_mixes=(1, 2), seeds=2))
    results = results_of(tmp_path)
    found = {row.row.name: len(row.runs) for row in results.rows}
    assert found == {
        "cutmix-k1": 2,
        "cutmix-k2-same-pairs": 2,
        "cutmix-k2-same-rows": 2,
        "mixup-k1": 4,
        "mixup-k5-same-pairs": 4,
        "mixup-k5-same-rows": 4,
        "none": 4,
    }
    assert results.notes == []
    assert len(results.commands) == 1  # the same command line twice


def test_k_rises_whichever_command_asked_for_it(tmp_path):
    for values in ((1, 3), (2, 8), (1, 5)):
        made_up(settings(tmp_path, methods=("mixup",), num_mixes=values, controls=("same-rows",), seeds=1))
    assert [row.row.num_mixes for row in results_of(tmp_path).rows] == [1, 2, 3, 5, 8]


def test_all_commands_are_kept(tmp_path):
    asked = settings(tmp_path)
    for command in ("first", "second", "third", "second"):
        Comparison(asked, command).write()
    comparison = Comparison.read(tmp_path)
    assert ([*comparison.earlier, comparison.command]) == ["first", "third", "second"]


def test_what_does_not_fit_is_named(tmp_path):
    made_up(settings(tmp_path, methods=("mixup",), steps=80, seeds=1))
    shutil.copytree(tmp_path / "mixup-k1-s0", tmp_path / "mine")
    (tmp_path / "mine" / "row.json").unlink()
    made_up(settings(tmp_path, methods=("cutmix",), seeds=1))
    results = results_of(tmp_path)
    assert {row.row.method for row in results.rows} == {"cutmix"}
    left, names = sorted(results.notes, key=len, reverse=True)
    assert left == (
        "Left out: mixup-k1-s0, mixup-k5-same-pairs-s0, mixup-k5-same-rows-s0, made with steps=80 where the "
        "comparison has steps=60."
    )
    assert names == "Left out: mine, which no comparison began."


def test_runs_on_other_data_than_most_are_left_out_and_named(tmp_path):
    """Of each data set by itself, and without those that did not write down what they were trained on."""
    made_up(settings(tmp_path, data=("digits", "synthetic"), methods=("mixup",), model="mlp"))
    for file in tmp_path.glob("synthetic-*/data.json"):
        file.write_text('{"labels_sha256": "2c3d"}')
    assert results_of(tmp_path).notes == []
    for name in ("digits-mixup-k1-s0", "digits-mixup-k5-same-rows-s2"):
        (tmp_path / name / "data.json").write_text('{"labels_sha256": "ffff"}')
    (tmp_path / "digits-mixup-k1-s1" / "data.json").unlink()
    results = results_of(tmp_path)
    seeds = {row.row.name: [run.seed for run in row.runs] for row in results.rows}
    assert (seeds.pop("digits-mixup-k1"), seeds.pop("digits-mixup-k5-same-rows")) == ([1, 2], [0, 1])
    assert set(map(tuple, seeds.values())) == {(0, 1, 2)}
    assert results.notes == [
        "Left out: digits-mixup-k1-s0, digits-mixup-k5-same-rows-s2, trained on other data than most runs (the labels "
        "differ)."
    ]


def test_runs_from_before_alpha_or_the_data_set_was_varied_are_named(tmp_path):
    made_up(settings(tmp_path / "alpha", num_mixes=(1,), seeds=1))
    made_up(settings(tmp_path / "alpha", num_mixes=(1,), seeds=1, alphas=(0.2, 1.0)))
    results = results_of(tmp_path / "alpha")
    assert [row.row.name for row in results.rows] == ["none", "mixup-a0.2-k1", "mixup-a1.0-k1"]
    assert results.notes == ["Left out: mixup-k1-s0, from before alpha was varied."]
    made_up(settings(tmp_path / "data", methods=("none",), seeds=1, model="mlp"))
    made_up(settings(tmp_path / "data", methods=("none",), seeds=1, model="mlp", data=("digits", "synthetic")))
    results = results_of(tmp_path / "data")
    assert [row.row.name for row in results.rows] == ["digits-none", "synthetic-none"]
    assert results.notes == ["Left out: none-s0, from before there were several data sets."]


def test_runs_by_epochs_fit_each_other(tmp_path):
    asked = settings(tmp_path, steps=None, epochs=2, controls=("same-images",), seeds=1)
    made_up(asked)
    made_up(replace(asked, methods=("cutmix",)))
    results = results_of(tmp_path)
    assert results.notes == []
    assert [row.row for row in results.rows] == [
        Row("cutmix", 1),
        Row("cutmix", 5, "same-images"),
        Row("mixup", 1),
        Row("mixup", 5, "same-images"),
        Row("none", 1),
    ]


def test_a_comparison_from_before_a_setting_was_added_can_be_read(tmp_path):
    folder = made_up(settings(tmp_path / "old", seeds=1))
    stored = json.loads((folder / "compare.json").read_text())
    del stored["settings"]["variants"]
    stored["settings"]["gone"] = 1
    (folder / "compare.json").write_text(json.dumps(stored))
    for file in folder.glob("*/config.json"):
        config = json.loads(file.read_text())
        del config["label_smoothing"]
        file.write_text(json.dumps(config))
    results = results_of(folder)
    assert len(results.rows) == 4
    assert results.notes == []


def test_a_target_is_reached_where_the_mean_curve_first_meets_it(folder):
    rows = table(results_of(folder))
    (grid,) = [grid for grid in grids(rows) if grid.title.startswith("Time to")]
    target = max(row.curve.error[-1] for row in rows)  # every row reaches it
    assert grid.title == f"Time to a test error of {target * 100:.2f} %"
    for row, line in zip(rows, grid.lines, strict=True):
        steps, time_s, cpu_time_s = (float(cell.text) for cell in line.cells[-3:])
        place = row.curve.step.index(steps)
        assert row.curve.error[place] <= target
        assert all(error > target for error in row.curve.error[:place])
        assert (time_s, cpu_time_s) == (
            pytest.approx(0.1 * steps, abs=0.051),
            pytest.approx(0.09 * steps, abs=0.051),
        )  # as the records have it
    assert len({line.cells[-3].text for line in grid.lines}) > 1


def test_single_severities_of_corruptions_stay_in_the_runs(tmp_path):
    many = {"error_corruption": 0.3, "corruption/fog": 0.2, "corruption/fog/5": 0.4}
    made_up(settings(tmp_path, seeds=1), lambda seed, error: many)
    for row in results_of(tmp_path).rows:
        found = [name for name in row.runs[0].evaluation if "corruption" in name]
        assert found == ["error_corruption", "corruption/fog"]
