"""The program's manners: exit codes, messages, files of settings."""

import re
import shlex
import signal
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import torch
import yaml

import multimix
from multimix.lab.command_line import main as program
from multimix.lab.command_line.command import Command
from multimix.lab.command_line.commands import COMMANDS
from multimix.lab.command_line.main import main
from multimix.lab.command_line.parse import parse
from multimix.lab.compare.folder import Comparison
from multimix.lab.core.errors import RunFailed
from multimix.lab.data import DATASETS
from multimix.lab.models import MODELS
from multimix.lab.report.gather import gather
from multimix.lab.report.table import table
from multimix.lab.train.recipe import Recipe
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.watch import Watch
from multimix.methods import METHODS

ROOT = Path(__file__).parents[2]
MISSING = "mps" if torch.cuda.is_available() else "cuda"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a command must be given, one of train, compare, choose, evaluate, report, preview"),
        (["comprae"], 'got comprae; did you mean "compare"?'),
        (["compare", "--out", "o", "--nummixes", "1"], "got nummixes; did you mean --num-mixes?"),
        (["compare", "--out", "o", "--method", "mixup"], "got method; did you mean --methods?"),
        (["train"], "train needs out"),
        (["preview", "a.png"], "preview needs file_b, out"),
        (["train", "--out", "o", "--steps", "many"], "steps must be a whole number, got steps=many; try 5"),
        (["train", "--out", "o", "--seed", "1.5"], "seed must be a whole number, got seed=1.5; try 0"),
        (["train", "--out", "o", "--compile", "maybe"], "compile must be true or false, got compile=maybe"),
        (["train", "--out", "o", "--learning-rate", "nan"], "learning_rate must be a finite number, got learning_rate"),
        (
            ["compare", "--out", "o", "--num-mixes", "1,x"],
            "num_mixes must be whole numbers, comma separated, got num_mixes=x; try 1,5",
        ),
        (["compare", "--out", "o", "--num-mixes", "0,5"], "num_mixes must be an integer >= 1, got num_mixes=0"),
        (
            ["compare", "--out", "o", "--num-mixes", "1", "5"],
            "compare takes flags only, got '5'; leave it out, or join",
        ),
        (["preview", "a", "b", "c", "--out", "o.png"], "preview takes only file_a, file_b and flags, got 'c'"),
        (["train", "--out", "o", "--method-options", "alpha=1"], "write --method-options.alpha 1"),
        (["train", "--out", "o", "--data-options", "4"], "write --data-options.NAME VALUE"),
        (
            ["train", "--out", "o", "--alpha", "1"],
            "got alpha; an option of a method is given as --method-options.alpha",
        ),
        (
            ["train", "--out", "o", "--method", "manifold", "--method-options.layers", "stage3,stage9"],
            'layers must name modules of the model, got "stage9"; did you mean "stage3"?',
        ),
        (
            ["compare", "--out", "o", "--methods", "none,mixup,puzzlemix", "--method-options.grid", "40"],
            "grid must hold a number of blocks not above the shorter axis (8), got grid=(40,)",
        ),
        (
            ["variance", "--out", "o", "--method", "puzzlemix", "--method-options.grid", "40"],
            "grid must hold a number of blocks not above the shorter axis (8), got grid=(40,)",
        ),
        (
            ["choose", "--out", "o", "--budget", "1min", "--methods", "manifold", "--method-options.layers", "stage9"],
            'layers must name modules of the model, got "stage9"; did you mean "stage3"?',
        ),
        (["train", "--out", "o", "--lr", "1"], "got lr; did you mean --learning-rate?"),
        (["train", "--out", "o", "--K", "5"], "got K; did you mean --num-mixes?"),
        (["train", "--out", "o", "--nothing-like-it", "1"], "got nothing_like_it; see multimix train --help"),
        (["train", "-out", "o"], "a flag must begin with two dashes, got -out"),
        (["train", "--num-mixes"], "a flag must be followed by its value, got --num-mixes alone"),
        (["train", "--out", "o", "--dry-run=yes"], "--dry-run takes no value"),
        (["sing"], "got sing; see multimix --help"),
        (["train", "--out", "o", "--method", "mixpu"], 'did you mean "mixup"?'),
        (
            ["train", "--out", "o", "--config", "nowhere.yaml"],
            "config must be a YAML file of settings, got config='nowhere.yaml'",
        ),
        (["train", "--out", "o", "--device", MISSING], f"must be one that this machine has, got device='{MISSING}'"),
        (["compare", "--out", "o", "--device", MISSING], f"must be one that this machine has, got device='{MISSING}'"),
        (
            ["report", "nowhere"],
            "(variance.json), or a results .json, got 'nowhere'; give the --out of a multimix compare",
        ),
        (["preview", "nowhere.png", "b.png", "--out", "o.png"], "got 'nowhere.png'; there is no such file"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    written = capsys.readouterr().err
    assert message in written
    assert written.startswith("multimix: ")
    assert written.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_failed_run_is_exit_code_1_and_its_reason_comes_last(tmp_path, capsys):
    assert main(["train", "--learning-rate", "1e30", "--steps", "5", "--out", str(tmp_path / "run")]) == 1
    assert "must stay finite" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("error", "code"), [(RunFailed("why"), 1), (OSError("disk full"), 1), (KeyboardInterrupt(), 130)]
)
def test_what_a_command_raises_is_told_without_a_traceback(error, code, monkeypatch, capsys):
    def fail(settings, console):
        raise error

    monkeypatch.setitem(COMMANDS, "train", Command("", TrainSettings, fail))
    assert main(["train", "--out", "o"]) == code
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("package", ["rich", "jsonargparse", "yaml", "lightning_fabric"])
def test_a_package_of_the_lab_that_is_missing_is_one_line(package, monkeypatch, capsys, tmp_path):
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    for module in ("command_line.parse", "train.run", "core.processes"):  # as in a program that has just been started
        monkeypatch.delitem(sys.modules, f"multimix.lab.{module}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["train", "--out", str(tmp_path / "o")]) == 2
    written = capsys.readouterr().err
    assert package in written
    assert written.endswith("pip install 'multimix[lab]'\n")
    assert written.count("\n") == 1


def test_a_package_that_is_none_of_the_labs_is_not_blamed_on_it(monkeypatch):
    def fail(given):
        raise ModuleNotFoundError("No module named 'mine'", name="mine")

    monkeypatch.setattr(program, "_call", fail)
    with pytest.raises(ModuleNotFoundError):
        main(["train"])


def test_the_labs_packages_are_those_that_are_installed_with_it():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["lab"]
    imported = {"scikit-learn": "sklearn", "pyyaml": "yaml", "pillow": "PIL", "lightning-fabric": "lightning_fabric"}
    names = {re.match(r"[\w-]+", item)[0] for item in settings}
    assert {imported.get(name, name) for name in names} == set(program.PACKAGES)


def test_the_help_of_a_run_opens_with_what_is_chosen_first(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    usage, _, settings = capsys.readouterr().out.partition("One run:")
    wanted = ["--data", "--model", "--method", "--num-mixes", "--steps", "--out"]
    assert re.findall(r"^  (--[\w-]+)", settings, re.MULTILINE)[:6] == wanted
    assert re.findall(r"(--[\w-]+)", usage)[:6] == wanted


def test_the_help_opens_with_commands_that_can_be_given(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    opening = capsys.readouterr().out.partition("subcommands:")[0]
    commands = re.findall(r"^  multimix (.*)", opening, re.MULTILINE)
    assert [parse(shlex.split(command))[0] for command in commands] == ["train", "compare", "choose"]


def test_the_help_says_what_goes_before_a_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = capsys.readouterr().out
    assert "\n  --version " in printed
    assert "\n  --quiet " in printed
    assert "   " not in printed.splitlines()[0]


def test_what_is_given_by_place_has_a_meaning_in_the_help(capsys):
    for name, command in COMMANDS.items():
        with pytest.raises(SystemExit):
            main([name, "--help"])
        said = capsys.readouterr().out.partition("positional arguments:")[2]
        for place in command.positional:
            assert re.search(rf"^  {place} +[A-Z]\w+ ", said, re.MULTILINE), (name, place)


def test_the_help_of_a_run_names_every_data_set_model_and_method(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    words = "".join(capsys.readouterr().out.split())  # lines may break at the hyphen of a name
    missing = [name for name in (*DATASETS, *MODELS, *METHODS) if f"{name}," not in words and f"{name})" not in words]
    assert missing == []


def test_ctrl_c_is_exit_code_130_and_the_same_command_says_where_it_goes_on(tmp_path, capsys, monkeypatch):
    command = ["train", "--model", "mlp", "--steps", "30", "--evaluations", "10", "--out", str(tmp_path / "run")]
    with monkeypatch.context() as while_stopped:
        while_stopped.setattr(Watch, "on_record", lambda self, record: signal.raise_signal(signal.SIGINT))
        assert main(command) == 130
    told = capsys.readouterr()
    assert "stopped by SIGINT after step 3 of 30" in told.err
    assert "goes on" not in told.out
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[0] == "goes on from step 3 of 30"


@pytest.mark.parametrize("command", [["train"], ["compare"], ["choose", "--budget=1h"], ["variance"]])
def test_out_that_is_a_file_is_refused_before_anything_is_begun(command, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert main([*command, "--out", str(tmp_path / "file")]) == 2
    assert f"must be a folder, got the file {tmp_path / 'file'}; choose another --out" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "compare", "choose"])
def test_a_dry_run_says_where_nothing_could_be_written(command, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    flags = [command, *(["--budget", "1min"] if command == "choose" else []), "--dry-run", "--out"]
    assert main([*flags, f"{tmp_path}/file/deep/run"]) == 2
    told = f"the folder of multimix {command} must be a folder, got the file {tmp_path}/file; choose another --out"
    assert told in capsys.readouterr().err
    monkeypatch.setattr("os.access", lambda place, mode: Path(place) != tmp_path)  # root may write everywhere
    assert main([*flags, f"{tmp_path}/run"]) == 2
    assert f"must be in a writable place, got {tmp_path}/run in {tmp_path}" in capsys.readouterr().err


def test_the_home_folder_is_found_wherever_a_place_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file.yaml").write_text("out: ~/runs/a\n")
    assert parse(["train", "--config", "~/file.yaml"])[1].out == f"{tmp_path}/runs/a"
    assert parse(["compare", "--out=~/b"])[1].out == f"{tmp_path}/b"
    report = parse(["report", "~/c", "d", "-o", "~/e.md,f.md"])[1]
    assert (report.sources, report.output) == ((f"{tmp_path}/c", "d"), (f"{tmp_path}/e.md", "f.md"))


def test_a_run_goes_on_when_nobody_reads_its_output(tmp_path):
    command = [sys.executable, "-m", "multimix", "train", "--model", "mlp", "--steps", "40", "--evaluations", "20"]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path / "run")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        said = run.stderr.read()
    assert run.returncode == 0, said
    assert said.count("nobody reads the output any more; going on without it") == 1
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_a_folder_that_cannot_be_made_is_not_called_unwritable(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert main(["train", "--steps", "1", "--out", str(tmp_path / "file" / "run")]) == 1
    assert capsys.readouterr().err.endswith(
        f"got not a directory for {tmp_path / 'file' / 'run'}; choose another folder\n"
    )


def test_a_comparison_with_other_settings_is_called_so(tmp_path, capsys):
    run = ["--methods", "none", "--model", "mlp", "--out"]
    assert (
        main(
            [
                "train",
                "--method",
                "none",
                "--num-mixes",
                "1",
                "--model",
                "mlp",
                "--steps",
                "1",
                "--out",
                str(tmp_path / "o" / "none-s0"),
            ]
        )
        == 0
    )
    capsys.readouterr()
    assert main(["compare", *run, str(tmp_path / "o"), "--steps", "2"]) == 2
    assert "the runs in a comparison's folder must have its settings, got steps=2 for" in capsys.readouterr().err


def test_what_a_look_at_folders_tells_is_said_before_fabric_is_asked(tmp_path, capsys, monkeypatch):
    command = ["train", "--model", "mlp", "--num-mixes", "1", "--steps", "1", "--out"]
    assert main([*command, str(tmp_path / "done")]) == 0
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    capsys.readouterr()
    assert main([*command, str(tmp_path / "done")]) == 0
    assert "was finished before" in capsys.readouterr().out
    refused = {
        "folder:PATH must name a folder, got '/nope'": [*command, str(tmp_path / "o"), "--data", "folder:/nope"],
        "data_root must be a folder, got data_root='/nope'": [*command, str(tmp_path / "o"), "--data-root", "/nope"],
        "got '/nope'": ["report", "/nope"],
        "/nope": ["evaluate", "/nope"],
        "got evaluators='eror'; did you mean \"error\"?": ["evaluate", str(tmp_path / "done"), "--with", "eror"],
    }
    for message, arguments in refused.items():
        assert main(arguments) == 2
        assert message in capsys.readouterr().err


def test_fabric_is_imported_where_it_is_needed_alone():
    """Importing it takes seconds, and most commands do without, or refuse something before."""
    package = Path(multimix.__file__).parent / "lab"
    at_top = r"^(from|import) lightning_fabric"
    assert [path.name for path in package.rglob("*.py") if re.search(at_top, path.read_text(), re.MULTILINE)] == []


def test_a_comparison_says_what_it_trains_on_what(tmp_path, capsys):
    command = ["compare", "--methods", "none", "--model", "mlp", "--steps", "1", "--seeds", "1", "--jobs", "0"]
    command += ["--out", str(tmp_path / "o")]
    assert main([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("data: digits; model: mlp\n")
    assert main(command) == 0
    assert capsys.readouterr().out.count("data: digits; model: mlp\n") == 2


def test_train_then_again(tmp_path, capsys):
    command = ["train", "--method", "cutmix", "--method-options.boxes", "inside", "--num-mixes", "2"]
    command += ["--batch-size", "20", "--steps", "2", "--out", str(tmp_path / "run")]
    assert main(command) == 0
    assert "finished" in capsys.readouterr().out
    assert main(command) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main([*command, "--seed", "1"]) == 2
    assert "got seed=1 for" in capsys.readouterr().err


@pytest.mark.parametrize("level", [["--quiet"], ["--log-level", "error"], ["--log-level=error"]])
def test_a_quiet_run_prints_its_result_only(level, tmp_path, capsys):
    command = ["train", "--model", "mlp", "--batch-size", "2000", "--num-mixes", "1", "--steps", "1"]
    assert main([*command, "--out", str(tmp_path / "loud")]) == 0
    loud = capsys.readouterr()
    assert "step     1" in loud.out
    assert "each step holds every sample 2.2 times" in loud.err
    assert main([*command, "--out", str(tmp_path / "run"), *level]) == 0
    quiet = capsys.readouterr()
    assert (quiet.out, quiet.err) == (f"{tmp_path / 'run'}: finished\n", "")
    assert main([*command, "--seed", "1", "--out", str(tmp_path / "run"), *level]) == 2
    assert "got seed=1 for" in capsys.readouterr().err


def test_at_the_level_of_warnings_progress_is_left_out_and_an_unknown_level_refused(tmp_path, capsys):
    command = ["train", "--model", "mlp", "--batch-size", "2000", "--num-mixes", "1", "--steps", "1"]
    assert main([*command, "--out", str(tmp_path / "run"), "--log-level", "warning"]) == 0
    printed = capsys.readouterr()
    assert "step     1" not in printed.out
    assert "each step holds every sample" in printed.err
    assert main([*command, "--out", str(tmp_path / "run"), "--log-level", "eror"]) == 2
    assert "got log_level='eror'; did you mean \"error\"?" in capsys.readouterr().err


def test_lists_are_written_with_commas():
    _, settings = parse(["compare", "--methods", "none,mixup", "--num-mixes=1,2", "--controls", "k-batch", "--out=o"])
    assert settings.methods == ("none", "mixup")
    assert settings.num_mixes == (1, 2)
    assert settings.controls == ("k-batch",)


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        (["--method=puzzlemix", "--method-options.grid", "2,4"], {"grid": [2, 4]}),
        (["--method=manifold", "--method-options.layers=stage1,stage2"], {"layers": ["stage1", "stage2"]}),
        (["--method=manifold", "--method-options.layers", "[stage1, stage2]"], {"layers": ["stage1", "stage2"]}),
        (["--method=topmix", "--method-options.grid", "None"], {"grid": None}),
        (
            ["--method=topmix", "--method-options.grid=null", "--method-options.alpha", "0.5"],
            {"grid": None, "alpha": 0.5},
        ),
        (["--method=cutmix", "--method-options.boxes", "inside"], {"boxes": "inside"}),
    ],
)
def test_options_are_written_as_helps_show_them(flags, options):
    _, settings = parse(["train", "--out=o", *flags])
    assert settings.method_options == options


def test_a_file_of_settings_flags_that_win_and_unknown_keys(tmp_path, capsys):
    file = tmp_path / "settings.yaml"
    file.write_text("methods: [none, cutmix]\nseeds: 7\nmethod_options: {boxes: inside}\n")
    _, settings = parse(["compare", "--config", str(file), "--seeds", "2", "--out", "o"])
    assert (settings.methods, settings.seeds) == (("none", "cutmix"), 2)
    assert settings.method_options == {"boxes": "inside"}
    for key, meant in {
        "sedes": "seeds",
        "num-mixes": "num_mixes",
        "batch-size": "batch_size",
        "K": "num_mixes",
    }.items():
        file.write_text(f"{key}: 7\n")
        assert main(["compare", "--config", str(file), "--out", "o"]) == 2
        assert f'got {key}; did you mean "{meant}"?' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it holds nothing; write name: value"),
        (b"- a\n", "it holds a list"),
        (b"word\n", "it holds a single value"),
        (b"\xff\xfe", "byte 1 is no UTF-8 text"),
        (b"seeds: [\n", "in line 2; correct it"),
        (b"a: \x01", "a character that YAML does not allow"),
        (b"[" * 1000, "nested too deeply"),
        (b"config: other.yaml\n", "it names another one"),
        (b"out: o\ndry_run: true\n", "it holds dry_run, which is no setting of a run; give --dry-run"),
        (b"quiet: true\n", "it holds quiet, which is no setting of a run; give --quiet"),
        (b"seeds: 3\nseeds: 4\n", "a setting must stand once in a config, got seeds again in line 2 of "),
        (b"method_options: {alpha: 1, alpha: 2}\n", "got alpha again in line 1"),
        (b"seeds:\n", "config must be a YAML file of settings, got seeds:; write name: value"),
    ],
)
def test_a_file_that_is_no_file_of_settings(content, message, tmp_path, capsys):
    file = tmp_path / "settings.yaml"
    file.write_bytes(content)
    assert main(["compare", f"--config={file}", "--out", str(tmp_path / "o")]) == 2
    written = capsys.readouterr().err
    assert message in written
    assert written.count("\n") == 1


PLACES = {"data_root", "initial_weights", "corruptions", "out"}  # any text may name one
KNOWN = {"evaluate": ["runs"], "report": ["sources"], "preview": ["a.png", "b.png"], "choose": ["--budget", "1h"]}


@pytest.mark.parametrize("name", ["train", "compare", "choose", "evaluate", "report", "preview", "variance"])
def test_nonsense_for_any_setting_is_one_line_that_names_it(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = COMMANDS[name]
    shared = (
        {item.name for item in fields(Recipe)} if name in ("compare", "choose", "variance") else set()
    )  # as for train
    for item in fields(command.settings):
        if item.name in PLACES | shared or item.name in command.positional:
            continue
        out = [] if name in ("report", "evaluate") else ["--out", "o.png"]
        asked = [name, *KNOWN.get(name, []), *out, f"--{item.name.replace('_', '-')}", "?!"]
        asked += [f"--{item.name[:-8].replace('_', '-')}", "digits"] if item.name.endswith("_data_options") else []
        assert main(asked) == 2, asked
        written = capsys.readouterr().err
        assert item.name in written, (asked, written)
        assert written.count("\n") == 1
        assert not re.search(r"Traceback|<class|None|\[|dict|tuple|of type", written), written
    assert not list(tmp_path.iterdir())


def test_print_config_is_a_file_of_settings(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["compare", "--num-mixes", "1,3", "--out", "o", "--print_config"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert yaml.safe_load(printed)["num_mixes"] == [1, 3]
    assert "dry_run" not in printed
    (tmp_path / "s.yaml").write_text(printed)
    assert parse(["compare", "--config", str(tmp_path / "s.yaml")])[1].num_mixes == (1, 3)


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("train", ["--out=runs/train"]),
        ("compare", ["--out=runs/compare"]),
        ("choose", ["--out=runs/choose", "--budget=30min"]),
    ],
)
def test_a_file_to_begin_with_gives_the_defaults_and_says_what_they_mean(name, needed, tmp_path, capsys):
    file = tmp_path / "s.yaml"
    assert main(["init", name, "-o", str(file)]) == 0
    assert f"multimix {name} --config {file}" in capsys.readouterr().out
    assert parse([name, "--config", str(file)]) == parse([name, *needed])
    lines = file.read_text().splitlines()
    assert next(iter(yaml.safe_load(file.read_text()))) == COMMANDS[name].opens[0]
    for item in fields(COMMANDS[name].settings):
        (line,) = (number for number, line in enumerate(lines) if line.startswith(f"{item.name}: "))
        assert re.match(r"# \w.*", lines[line - 1]), item.name
    assert max(map(len, lines)) <= 100


def test_a_file_to_begin_with_is_a_new_one_and_in_this_folder_for_train(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    (tmp_path / "train.yaml").write_text("mine")
    assert main(["init", "train"]) == 2
    assert "output must be a new file, got output='train.yaml'; remove it" in capsys.readouterr().err
    assert [file.read_text() for file in tmp_path.iterdir()] == ["mine"]
    assert main(["init", "comprae"]) == 2
    assert "got command='comprae'; did you mean \"compare\"?" in capsys.readouterr().err


def test_help_names_flags_as_they_are_typed_and_loads_no_training(capsys):
    code = (
        "import sys; from multimix.lab.command_line.main import main\n"
        "assert main(['--version']) == 0\n"
        "assert 'rich' not in sys.modules\n"
        "try: main(['compare', '--help'])\n"
        "except SystemExit: pass\n"
        "loaded = {'torch', 'lightning_fabric', 'sklearn', 'matplotlib', 'torchmetrics'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"multimix {multimix.__version__}\n")
    assert "--num-mixes" in done.stdout
    assert "--num_mixes" not in done.stdout


def test_the_package_is_the_program():
    done = subprocess.run(
        [sys.executable, "-m", "multimix", "trian"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert 'did you mean "train"?' in done.stderr


def test_the_plan_can_be_seen_without_doing_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "--dry-run", "--methods", "none,mixup", "--alphas", "0.2,1", "--out", "o"]) == 0
    printed = capsys.readouterr().out
    assert "21 runs into o, 0 of them finished before" in printed
    lines = [line.split() for line in printed.splitlines()]
    assert ["mixup", "0.2", "5", "same-pairs", "500", "120", "600", "3"] in lines
    assert ["mixup", "1", "5", "same-rows", "500", "24", "120", "3"] in lines
    assert not list(tmp_path.iterdir())


def test_a_switch_needs_no_value():
    assert parse(["train", "--compile", "--out", "o"])[1].compile
    assert parse(["train", "--out", "o", "--compile"])[1].compile
    assert not parse(["train", "--compile", "false", "--out", "o"])[1].compile
    assert not parse(["train", "--out", "o"])[1].compile


def test_the_committed_sweep_runs_and_its_flags_win(tmp_path, capsys):
    file = ROOT / "experiments" / "sweep_digits.yaml"
    _, settings = parse(["compare", "--config", str(file)])
    assert (settings.data, settings.alphas, settings.num_mixes) == (("digits",), (0.2, 1.0, 4.0), (1, 5))
    flags = ["--seeds", "1", "--steps", "2", "--jobs", "0", "--methods", "none,mixup", "--out", str(tmp_path / "o")]
    assert main(["compare", "--config", str(file), *flags]) == 0
    names = {path.parent.name for path in (tmp_path / "o").glob("*/evaluation.json")}
    assert names == {
        "none-s0",
        *(f"mixup-a{alpha}-{rest}-s0" for alpha in ("0.2", "1.0", "4.0") for rest in ("k1", "k5-same-rows")),
    }
    html = (tmp_path / "o" / "report.html").read_text()
    assert ">alpha</th>" in html
    assert "mixup, α = 0.2" in html
    assert "alpha" in capsys.readouterr().out


def test_two_data_sets_have_a_table_each(tmp_path, capsys):
    flags = ["--data", "digits,synthetic", "--model", "mlp", "--methods", "none,mixup", "--num-mixes", "1,2"]
    flags += ["--controls", "same-rows", "--batch-size", "20", "--steps", "2", "--seeds", "1", "--jobs", "0"]
    assert main(["compare", *flags, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line in ("digits", "synthetic")] == ["digits", "synthetic"]
    assert printed.count("Error of K = 2 against K = 1") == 2
    rows = {row.row.name: row for row in table(gather(Comparison.read(tmp_path)))}
    for data in ("digits", "synthetic"):
        first, single, several = (rows[f"{data}-{row}"] for row in ("none", "mixup-k1", "mixup-k2-same-rows"))
        assert first.time_ratio == 1  # each in units of its own data set's row
        change = several.changes["error"].difference.mean
        assert change == several.metrics["error"].mean - single.metrics["error"].mean
    html = (tmp_path / "report.html").read_text()
    assert html.count(">Results, ") == 2
    assert html.count("<svg") == 6
