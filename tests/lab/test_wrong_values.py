"""A value of the wrong kind in a file of settings: what is proposed in its place is taken."""

import pytest

from multimix.lab.command_line.argument_errors import explained, list_settings
from multimix.lab.command_line.commands import COMMANDS
from multimix.lab.command_line.parse import parse
from multimix.lab.core.errors import UsageError


def refused(tmp_path, line, *flags):
    """Return what is said of a line in a file of settings."""
    file = tmp_path / "settings.yaml"
    file.write_text(f"{line}\n" if line.startswith("out") else f"{line}\nout: o\n")
    with pytest.raises(UsageError) as error:
        parse(["compare", "--config", str(file), *flags])
    return str(error.value)


@pytest.mark.parametrize(
    ("line", "must", "proposed"),
    [
        ("out: 5", "out must be text, got out=5; quote it in a file, ", 'out: "5"'),
        ("out: true", "out must be text, got out=True; quote it in a file, ", 'out: "true"'),
        ("out: [a]", "out must be text, got out=['a']; quote it in a file, ", 'out: "..."'),
        ("data_root: 5", "data_root must be text, got data_root=5; quote it in a file, ", 'data_root: "5"'),
        (
            "methods: none,mixup",
            "methods must be a list of text, got methods=none,mixup; write ",
            "methods: [none, mixup]",
        ),
        (
            "methods: [1, 2]",
            "methods must be a list of text, got methods=1; write ",
            "methods: [none, mixup, cutmix, manifold, puzzlemix]",
        ),
        ("num_mixes: 1,5", "num_mixes must be a list of whole numbers, got num_mixes=1,5; write ", "num_mixes: [1, 5]"),
        ("num_mixes: 1.5", "num_mixes must be a list of whole numbers, got num_mixes=1.5; write ", "num_mixes: [1, 5]"),
        ("alphas: 0.5", "alphas must be a list of finite numbers, got alphas=0.5; write ", "alphas: [0.5]"),
    ],
)
def test_what_is_proposed_is_taken(line, must, proposed, tmp_path):
    assert refused(tmp_path, line) == must + proposed
    file = tmp_path / "settings.yaml"
    file.write_text(f"{proposed}\n")
    flags = [] if proposed.startswith("out") else ["--out", "o"]
    assert parse(["compare", "--config", str(file), *flags])[1]


def test_a_flag_beside_a_file_is_explained_as_a_flag(tmp_path):
    said = refused(tmp_path, "seeds: 2", "--num-mixes", "1,x")
    assert said == "num_mixes must be whole numbers, comma separated, got num_mixes=x; try 1,5"


def test_every_list_setting_is_explained_in_a_file():
    for name, command in COMMANDS.items():
        for setting in list_settings(command):
            said = explained(f'Parser key "{setting}": value: {{}}', [name, "--config", "f"])
            assert said.startswith(f"{setting} must be a list of ")
            assert said.endswith("]")


def test_a_single_value_for_what_stands_side_by_side_is_explained(tmp_path):
    places = {name: command.positional for name, command in COMMANDS.items() if command.positional}
    together = {name: set(place) & set(list_settings(COMMANDS[name])) for name, place in places.items()}
    assert any(together.values())
    for name, settings in together.items():
        for setting in settings:
            file = tmp_path / "settings.yaml"
            file.write_text(f"{setting}: a\n")
            with pytest.raises(UsageError) as error:
                parse([name, "--config", str(file)])
            proposed = f"{setting}: [a, b]"
            assert (
                str(error.value) == f"{setting} must be a list of text, got a single value in a file; write {proposed}"
            )
            file.write_text(f"{proposed}\n")
            assert getattr(parse([name, "--config", str(file)])[1], setting) == ("a", "b")
