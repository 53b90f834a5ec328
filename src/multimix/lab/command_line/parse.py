"""From a command line to settings."""

import os
import re
from argparse import SUPPRESS, HelpFormatter, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import MISSING, fields
from functools import cache
from itertools import pairwise
from typing import Any

import docstring_parser
from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter

from multimix.lab.command_line.argument_errors import command_in, explained, list_settings
from multimix.lab.command_line.command import Command
from multimix.lab.command_line.commands import COMMANDS
from multimix.lab.command_line.config_file import check_config
from multimix.lab.command_line.log_level import LOG_LEVEL, QUIET
from multimix.lab.core.errors import UsageError

DRY_RUN = "--dry-run"
PLACES = ("out", "output", "sources")  # other places are expanded where they are read
OPTION = re.compile(r"--\w+_options\.\w+")  # of a data set, a model or a method
ABOUT = """\
Mixup with K ordered interpolations per pair. To begin with:

  multimix train --data digits --method cutmix --num-mixes 5 --out runs/one
  multimix compare --data digits --methods none,mixup,cutmix --num-mixes 1,5 --out runs/compared
  multimix choose --data digits --budget 10min --out runs/choice

--data also takes folder:PATH, for pictures of your own in a folder per class."""


def parse(arguments: Sequence[str]) -> tuple[str, Any]:
    """Return the subcommand and its settings.

    Raises:
        UsageError: if there is something wrong with the arguments.
    """
    for name in _configs(arguments):
        check_config(name)
    try:
        parsed = _parser(command_in(arguments)).parse_args(_as_typed(arguments))
    except ArgumentError as error:
        raise UsageError(explained(str(error), arguments)) from error
    name = str(parsed.subcommand)
    command = COMMANDS[name]
    values = {item.name: parsed[name][item.name] for item in fields(command.settings)}
    values |= {place: tuple(values[place]) for place in list_settings(command)}
    return name, command.settings(**values | {place: _at_home(values[place]) for place in PLACES if place in values})


def _at_home(place: Any) -> Any:
    """Return a place with the home folder for ~, which no shell puts there in a file, in quotes or after --out=."""
    if isinstance(place, tuple):
        return tuple(_at_home(each) for each in place)
    return os.path.expanduser(place) if isinstance(place, str) else place  # Path's own raises where a user is unknown


class _LinesAsWritten(RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """Commands of a description keep their lines."""


class _Parser(ArgumentParser):
    """A parser whose help shows flags as they are typed, --like-this; in a file the same keys read like_this."""

    def format_help(self, *formatter: HelpFormatter | None) -> str:  # newer releases of jsonargparse pass one
        return re.sub(r"--\w+", lambda flag: flag[0].replace("_", "-"), super().format_help(*formatter))


@cache  # it takes a tenth of a second to make
def _parser(called: str | None) -> ArgumentParser:
    """Return a parser of all commands, with the settings of the one that is called."""
    parser = _Parser(
        prog="multimix",
        description=ABOUT,
        formatter_class=_LinesAsWritten,
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", default=SUPPRESS, help="Print the version.")
    _add_log_level(parser)
    subcommands = parser.add_subcommands()
    for name, command in COMMANDS.items():
        sub = _Parser(description=command.says, exit_on_error=False, allow_abbrev=False)
        if name == called:
            _add_settings(sub, command)
        subcommands.add_subcommand(name, sub, help=command.says)
    parser.usage = "multimix [options] COMMAND ..."  # those of the commands were made from what it was before
    return parser


def _add_settings(parser: ArgumentParser, command: Command) -> None:
    parameters = docstring_parser.parse(command.settings.__doc__ or "").params
    meanings = {parameter.arg_name: parameter.description for parameter in parameters}
    optional = {item.name for item in fields(command.settings) if item.default is not MISSING}
    for place in command.positional:
        nargs = "+" if place in list_settings(command) else "?" if place in optional else None
        parser.add_argument(place, type=str, nargs=nargs, help=meanings[place])
    parser.add_argument("--config", action="config", help="A YAML file of settings; flags after it win.")
    if command.try_out is not None:  # taken out before the settings are parsed: it is none of them
        parser.add_argument(
            DRY_RUN, action="store_true", default=SUPPRESS, help="Say what would be done, and write nothing."
        )
    _add_log_level(parser)
    parser.add_class_arguments(command.settings, skip=set(command.positional))
    # argparse shows what was added first, and fields of base classes come first.
    for actions in (parser._actions, *(group._group_actions for group in parser._action_groups)):
        actions.sort(key=lambda action: _place(action.dest, command.opens) if action.option_strings else -1)


def _add_log_level(parser: ArgumentParser) -> None:
    """Show what is taken out before anything is parsed, and is in no file of settings."""
    quiet = "Print errors and results only: --log-level error."
    levels = "What to print beside results: info (the default), warning or error."
    parser.add_argument(QUIET, action="store_true", default=SUPPRESS, help=quiet)
    parser.add_argument(LOG_LEVEL, default=SUPPRESS, help=levels)


def _place(setting: str, opens: Sequence[str]) -> int:
    """Return where a setting stands in a help; the help's own flag stands before all."""
    if setting == "help":
        return -1
    return opens.index(setting) if setting in opens else len(opens)


def _configs(arguments: Sequence[str]) -> list[str]:
    """Return the files of settings that are named."""
    joined = [argument.partition("=")[2] for argument in arguments if argument.startswith("--config=")]
    return joined + [name for flag, name in pairwise(arguments) if flag == "--config"]


def _typed_as_key(argument: str) -> str:
    """Return --batch-size=12 as --batch_size=12: flags are keys."""
    flag, equals, value = argument.partition("=")
    return "--" + flag[2:].replace("-", "_") + equals + value if flag.startswith("--") else argument


def _as_typed(arguments: Sequence[str]) -> list[str]:
    """Return the arguments as the parser wants them: values of list settings, a,b, as [a,b]; --switch as a yes."""
    command = command_in(arguments)
    kinds = {f"--{item.name}": item.type for item in fields(COMMANDS[command].settings)} if command else {}
    lists = {f"--{name}" for name in list_settings(COMMANDS[command])} if command else set()
    typed = {_flag(name): f"--{key}" for name, key in COMMANDS[command].typed.items()} if command else {}
    result: list[str] = []
    for argument in map(_typed_as_key, arguments):
        flag, equals, value = argument.partition("=")
        flag = typed.get(flag, flag)
        argument = f"{flag}{equals}{value}"
        if equals and flag in lists:
            argument = f"{flag}={_bracketed(value)}"
        elif equals and OPTION.fullmatch(flag):
            argument = f"{flag}={_option(value)}"
        elif result and result[-1] in lists:
            argument = _bracketed(argument)
        elif result and OPTION.fullmatch(result[-1]):
            argument = _option(argument)
        result.append(argument)
    return [
        f"{argument}=true" if kinds.get(argument) is bool and after.startswith("--") else argument
        for argument, after in pairwise([*result, "--"])
    ]


def _flag(name: str) -> str:
    return f"{'-' if len(name) == 1 else '--'}{name}"


def _option(value: str) -> str:
    """Return an option as YAML: None is written as in helps, and several values are joined by commas."""
    if value == "None":
        return "null"
    return _bracketed(value) if "," in value and value[0] not in "{\"'" else value


def _bracketed(value: str) -> str:
    return value if value.startswith("[") else f"[{value}]"
