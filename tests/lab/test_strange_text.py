"""Text from elsewhere is only text: on a terminal, in tables, in files for other programs, and in files of settings."""

import csv
import io
import json
import os
import re
import sys
from types import SimpleNamespace

import pytest
from reported import made_up, settings
from rich.table import Table

from multimix.lab.command_line.main import main
from multimix.lab.command_line.parse import parse
from multimix.lab.compare.folder import Comparison
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.core.errors import UsageError
from multimix.lab.core.plain_console import PlainConsole
from multimix.lab.core.printable import MOST, printable
from multimix.lab.core.warnings import warn
from multimix.lab.evaluate.settings import EvaluateSettings
from multimix.lab.report.csv_file import csv_of
from multimix.lab.report.gather import gather
from multimix.lab.report.latex import escaped, latex
from multimix.lab.report.markdown import escaped as in_markdown
from multimix.lab.report.markdown import fenced, markdown
from multimix.lab.report.page import write_page
from multimix.lab.report.results_file import read_results, write_results
from multimix.lab.train.settings import TrainSettings
from multimix.lab.variance.settings import VarianceSettings

NASTY = "\x1b[31mred\x1b]0;title\x07 [bold]o[/b]c :smile: \udcff \u202eabc\r\nmultimix: all is well"
TINY = ["--model", "mlp", "--batch-size", "10", "--steps", "1", "--evaluations", "1"]


def test_a_text_is_shown_on_one_line_without_what_drives_a_terminal():
    assert printable("an ü and a ▲, as they are") == "an ü and a ▲, as they are"
    assert printable(NASTY) == (
        r"\x1b[31mred\x1b]0;title\x07 [bold]o[/b]c :smile: \udcff \u202eabc\r\nmultimix: all is well"
    )
    assert len(printable("x" * 10**6)) < MOST + 10


def test_a_console_shows_strings_as_they_are_also_in_tables():
    file = io.StringIO()
    console = PlainConsole(file=file, width=200, force_terminal=True, color_system="truecolor")
    table = Table(title=NASTY)
    table.add_column(NASTY)
    table.add_row(NASTY)
    console.print(table)
    console.print(NASTY, soft_wrap=True)
    printed = file.getvalue()
    ours = re.sub(r"\x1b\[[\d;]*m", "", printed)  # what rich itself writes
    assert ours.count(r"\x1b[31mred\x1b]0;title\x07 [bold]o[/b]c :smile: \udcff \u202eabc\r") == 4
    assert not set("\x1b\x07\r\u202e\udcff") & set(ours)


def test_a_complaint_is_one_line(capsys):
    warn(NASTY)
    assert capsys.readouterr().err == f"multimix: {printable(NASTY)}\n"


def test_folders_of_any_name_are_trained_compared_evaluated_and_reported(tmp_path, capfd):
    name = "o[/b]c\x1b[31m two\nlines"
    out = str(tmp_path / name)
    assert main(["compare", *TINY, "--methods", "none", "--seeds", "1", "--jobs", "0", "--out", f"{out}/{name}"]) == 0
    assert main(["train", *TINY, "--out", f"{out}/run"]) == 0
    assert main(["train", *TINY, "--out", f"{out}/run"]) == 0
    assert main(["evaluate", f"{out}/{name}", "--with", "error"]) == 0
    assert main(["report", f"{out}/{name}"]) == 0
    written = capfd.readouterr()
    assert printable(f"{out}/run: finished") in written.out
    assert printable(f"Report: {out}/{name}/report.html") in written.out
    assert not set("\x1b\udcff") & set(written.out + written.err)


@pytest.mark.parametrize("name", ["", "  ", "a\0b", os.fsdecode(b"no-utf-8-\xff")])
def test_a_name_that_means_no_place_is_refused(name, capsys):
    for kind in (TrainSettings, CompareSettings, VarianceSettings):
        for setting in ("out", "data_root", "initial_weights"):
            with pytest.raises(
                UsageError, match=f"{setting} must (name a file or folder|be a name in UTF-8), got {setting}="
            ):
                kind(**{"out": "o", setting: name})
    with pytest.raises(UsageError, match="runs must"):
        EvaluateSettings(runs=(name,))
    assert main(["report", name]) == 2
    assert capsys.readouterr().err.startswith("multimix: sources must")


@pytest.fixture
def strange(tmp_path):
    """A comparison in which whatever can be a text is a nasty one."""
    text = "=cmd()|`$\\[%\n```\n# x"
    folder = made_up(settings(tmp_path / "made", num_mixes=(1,), seeds=1))
    stored = json.loads((folder / "compare.json").read_text())
    stored |= {"command": NASTY + text, "earlier": ["```\n# a heading"], "failures": {"none-s7": NASTY + text}}
    (folder / "compare.json").write_text(json.dumps(stored))
    (folder / "mixup-k1-s0").rename(folder / "mixup-k1-@x[y\n`-s0")
    for file in folder.glob("*/environment.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"processor": NASTY + text}))
    for file in folder.glob("*/evaluation.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"=1+1": 0.5, "-2": 0.5, text: 1.0}))
    folder.rename(tmp_path / "=made[x")
    return tmp_path / "=made[x"


def test_a_strange_comparison_becomes_files_that_hold_text_only(strange, tmp_path):
    first = gather(Comparison.read(strange))
    write_results(tmp_path / "r.json", [first])
    (again,) = read_results(tmp_path / "r.json")
    assert again == first
    cells = [cell for line in csv.reader(io.StringIO(csv_of([first]))) for cell in line]
    assert {cell for cell in cells if cell.startswith(("=", "@", "+"))} == set()
    assert {"'=made[x", "'=1+1", "-2"} <= set(cells)
    text = markdown([first])
    *_, opening, first_command, _, closing = text.splitlines()
    assert opening == closing == "````"  # what is in between has three at most
    assert first_command == r"```\n# a heading"
    assert not re.search(r"^# ", text, re.MULTILINE)
    tables = latex([first])
    assert tables.isascii()
    assert "\n\n" not in re.sub(r"\}\n\n\\begin", "", tables.partition("\n\n")[2]).strip()
    write_page(tmp_path / "page.html", [first])
    assert "\x1b" not in (tmp_path / "page.html").read_text()


def test_what_other_programs_take_for_more_than_text():
    assert fenced("a ```` b") == "`````\na ```` b\n`````"
    assert in_markdown("~~~\n# &lt; |") == r"\~\~\~\\n\# \&lt; \|"
    assert escaped("[x] * \n") == r"{[}x] {*} \textbackslash{}n"


def test_a_text_that_is_no_unicode_can_be_written(tmp_path):
    write_atomic(tmp_path / "file", "a \udcff b")
    assert (tmp_path / "file").read_text() == r"a \udcff b"


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "its aliases stand for too much"),
        ("a: &a [*a]\n", r"its \*a stands for itself"),
        ("a: " + "[" * 50_000, "it is nested too deeply"),
        ("# " + "x" * (1 << 20), "reading it failed: 1,048,578 bytes where at most 1,048,576 are read"),
    ],
)
def test_a_file_of_settings_that_would_not_fit_into_memory_is_refused(text, message, tmp_path):
    (tmp_path / "s.yaml").write_text(text)
    for _ in range(2):
        with pytest.raises(UsageError, match=rf"config must be a YAML file of settings, got .*s\.yaml.: {message}"):
            parse(["compare", "--config", str(tmp_path / "s.yaml"), "--out", "o"])


def test_a_file_of_settings_may_use_an_anchor(tmp_path):
    (tmp_path / "s.yaml").write_text("variants:\n  a: &a {sampling: iid}\n  b: {<<: *a, share: batch}\n")
    _, found = parse(["compare", "--config", str(tmp_path / "s.yaml"), "--out", "o"])
    assert found.variants == {"a": {"sampling": "iid"}, "b": {"sampling": "iid", "share": "batch"}}


def test_a_line_is_one_write_so_that_lines_of_others_come_before_or_after_it(monkeypatch):
    writes = []
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=writes.append, flush=lambda: None))
    warn("one line")
    assert [text for text in writes if text] == ["multimix: one line\n"]
