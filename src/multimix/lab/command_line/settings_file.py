"""A file of settings to begin with: all of a command's, with their defaults and what each means."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import yaml
from jsonargparse import ArgumentParser

from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.core.checks import check, check_name, check_place

STARTED = ("train", "compare", "choose")  # commands with enough settings for a file
WIDTH = 100  # columns of a comment
NEEDED = {"out": "runs/{name}", "budget": "30min"}  # settings without a default, and what the file has for them


@dataclass(frozen=True, kw_only=True)
class InitSettings:
    """A file of settings to begin with.

    Args:
        command: Whose settings: train, compare or choose (default: train; without it train.yaml is written).
        output: The file to write (-o); it must be a new one (default: the command's name and .yaml, in this folder).
    """

    command: str | None = None
    output: str | None = None

    def __post_init__(self) -> None:
        check_name("command", self.name, STARTED)
        check_place("output", self.output)

    @property
    def name(self) -> str:
        """The command."""
        return self.command or "train"

    @property
    def file(self) -> str:
        """The file to write."""
        return self.output or f"{self.name}.yaml"


def write_settings(name: str, settings: type, opens: Sequence[str], output: str) -> None:
    """Write a file that `multimix NAME --config FILE` takes as it is, and that gives the defaults.

    Args:
        name: The command's.
        settings: What can be set.
        opens: Settings that stand first.
        output: The file.

    Raises:
        UsageError: if the file is there.
    """
    path = Path(output)
    is_new = not path.exists() and not path.is_symlink()
    check(is_new, "output must be a new file", "remove it, or choose another with -o", output=output)
    write_atomic(path, settings_text(name, settings, opens))


def settings_text(name: str, settings: type, opens: Sequence[str]) -> str:
    """Return all settings of a command as YAML, each below a comment with its meaning."""
    parser = ArgumentParser()
    parser.add_class_arguments(settings)
    meanings = {action.dest: str(action.help) for action in parser._actions if action.dest != "help"}
    names = sorted(meanings, key=lambda setting: opens.index(setting) if setting in opens else len(opens))
    defaults = {setting: parser.get_default(setting) for setting in names}
    values = {setting: list(value) if isinstance(value, tuple) else value for setting, value in defaults.items()}
    values |= {setting: value.format(name=name) for setting, value in NEEDED.items() if setting in values}
    # One line for each setting: none is broken, and lists stand in brackets.
    lines = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=math.inf).splitlines()
    blocks = [f"# Settings of: multimix {name} --config FILE; flags after it win. null: not given.\n"]
    for setting, line in zip(names, lines, strict=True):
        needed = " Needed: there is no default." if setting in NEEDED else ""
        comment = wrap(meanings[setting] + needed, WIDTH, initial_indent="# ", subsequent_indent="# ")
        blocks.append("\n".join([*comment, line, ""]))
    return "\n".join(blocks)
