"""Scripts with which a shell completes commands, settings and names."""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from multimix.lab.command_line.command import Command
from multimix.lab.command_line.settings_file import STARTED
from multimix.lab.core.checks import check_name

SHELLS = ("bash", "zsh", "tcsh", "fish")
FILES = {"config", "output", "file_a", "file_b"}
FOLDERS = {"out", "data_root", "initial_weights", "runs", "sources"}


@dataclass(frozen=True, kw_only=True)
class CompletionSettings:
    """A script with which a shell completes commands and settings.

    Args:
        shell: Which shell: bash, zsh, tcsh or fish.
    """

    shell: str

    def __post_init__(self) -> None:
        check_name("shell", self.shell, SHELLS)


def completion(shell: str, commands: Mapping[str, Command]) -> str:
    """Return a script that makes a shell complete the program's commands, their settings and the names these take.

    Args:
        shell: The shell.
        commands: All subcommands, by name.
    """
    import shtab

    # The program's own parser shows settings as keys, like_this, and has those of one command at a time.
    parser = ArgumentParser(prog="multimix", allow_abbrev=False)
    parser.add_argument("--version", action="store_true")
    subparsers = parser.add_subparsers()
    for name, command in commands.items():
        _add_settings(subparsers.add_parser(name, help=command.says, allow_abbrev=False), command)
    return shtab.complete(parser, shell)


def _add_settings(parser: ArgumentParser, command: Command) -> None:
    switches = ["--quiet"] if command.try_out is None else ["--dry-run", "--quiet"]
    for flag in switches:
        parser.add_argument(flag, action="store_true")
    _complete(parser.add_argument("--config"), "config")
    parser.add_argument("--log-level", choices=("info", "warning", "error"))
    names = _names()
    for setting in (item.name for item in fields(command.settings)):
        flags = [setting] if setting in command.positional else _flags(setting, command)
        _complete(parser.add_argument(*flags, choices=names.get(setting)), setting)


def _flags(setting: str, command: Command) -> list[str]:
    typed = [f"{'-' if len(name) == 1 else '--'}{name}" for name, key in command.typed.items() if key == setting]
    return [*typed, f"--{setting.replace('_', '-')}"]


def _complete(action: object, setting: str) -> None:
    import shtab

    if setting in FILES | FOLDERS:
        action.complete = shtab.FILE if setting in FILES else shtab.DIRECTORY  # type: ignore[attr-defined]


def _names() -> Mapping[str, Sequence[str]]:
    """Return the names that settings take; of a list, the first."""
    from multimix.lab.compare.controls import CONTROLS
    from multimix.lab.data import DATASETS
    from multimix.lab.evaluate.evaluators import EVALUATORS
    from multimix.lab.models import MODELS
    from multimix.methods import METHODS

    methods = tuple(METHODS)
    return {
        **{"method": methods, "methods": methods, "name": methods, "model": tuple(MODELS), "data": tuple(DATASETS)},
        **{"controls": tuple(CONTROLS), "evaluators": tuple(EVALUATORS), "device": ("auto", "cpu", "cuda", "mps")},
        **{"command": STARTED, "shell": SHELLS},
    }
