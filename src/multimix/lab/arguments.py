"""From a command line to settings, and from the parser's complaints to the house's words."""

import re
from argparse import HelpFormatter
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from itertools import pairwise
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from multimix.lab.commands import COMMANDS, Command
from multimix.lab.errors import UsageError
from multimix.suggest import nearest

DRY_RUN = "--dry-run"


def parse(arguments: Sequence[str]) -> tuple[str, Any]:
    """Returns the subcommand and its settings.

    Raises:
        UsageError: if there is something wrong with the arguments.
    """
    try:
        parsed = _parser().parse_args(_as_typed(arguments))
    except ArgumentError as error:
        raise UsageError(_explained(str(error), arguments)) from error
    name = str(parsed.subcommand)
    command = COMMANDS[name]
    values = {item.name: parsed[name][item.name] for item in fields(command.settings)}
    return name, command.settings(**values | {place: tuple(values[place]) for place in _lists(command)})


class _Parser(ArgumentParser):
    """A parser whose help shows flags as they are typed, --like-this; in a file the same keys read like_this."""

    def format_help(self, formatter: HelpFormatter | None = None) -> str:
        return re.sub(r"--\w+", lambda flag: flag[0].replace("_", "-"), super().format_help(formatter))


@cache  # it takes a tenth of a second to make
def _parser() -> ArgumentParser:
    parser = _Parser(
        prog="multimix",
        description="Mixup with K ordered interpolations per pair.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    subcommands = parser.add_subcommands()
    for name, command in COMMANDS.items():
        sub = _Parser(description=command.says, exit_on_error=False, allow_abbrev=False)
        for place in command.positional:
            sub.add_argument(place, type=str, nargs="+" if place in _lists(command) else None)
        sub.add_argument("--config", action="config", help="A YAML file of settings; flags after it win.")
        if command.try_out is not None:  # taken out before the settings are parsed: it is none of them
            sub.add_argument(DRY_RUN, action="store_true", help="Say what would be done, and write nothing.")
        sub.add_class_arguments(command.settings, skip=set(command.positional))
        subcommands.add_subcommand(name, sub, help=command.says)
    return parser


def _typed_as_key(argument: str) -> str:
    """Returns --batch-size=12 as --batch_size=12: flags are keys."""
    flag, equals, value = argument.partition("=")
    return "--" + flag[2:].replace("-", "_") + equals + value if flag.startswith("--") else argument


def _as_typed(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments as the parser wants them: values of list settings, a,b, as [a,b]; --switch as a yes."""
    command = _command(arguments)
    kinds = {f"--{item.name}": item.type for item in fields(COMMANDS[command].settings)} if command else {}
    lists = {f"--{name}" for name in _lists(COMMANDS[command])} if command else set()
    typed = {_flag(name): f"--{key}" for name, key in COMMANDS[command].typed.items()} if command else {}
    result: list[str] = []
    for argument in map(_typed_as_key, arguments):
        flag, equals, value = argument.partition("=")
        flag = typed.get(flag, flag)
        argument = f"{flag}{equals}{value}"
        if equals and flag in lists:
            argument = f"{flag}={_bracketed(value)}"
        elif result and result[-1] in lists:
            argument = _bracketed(argument)
        result.append(argument)
    return [
        f"{argument}=true" if kinds.get(argument) is bool and after.startswith("--") else argument
        for argument, after in pairwise([*result, "--"])
    ]


def _flag(name: str) -> str:
    return f"{'-' if len(name) == 1 else '--'}{name}"


def _lists(command: Command) -> list[str]:
    """Returns the settings that are lists."""
    return [item.name for item in fields(command.settings) if "tuple" in str(item.type)]


def _command(arguments: Sequence[str]) -> str | None:
    return next((argument for argument in arguments if argument in COMMANDS), None)


def _bracketed(value: str) -> str:
    return value if value.startswith("[") else f"[{value}]"


def _explained(message: str, arguments: Sequence[str]) -> str:
    """Returns what is wrong with a command line in the house's words, with the nearest name where one is unknown."""
    command = _command(arguments)
    if found := re.search(r"invalid choice: '(\S+)'", message):
        return f"the command must be one of {', '.join(COMMANDS)}, got {found[1]}; {nearest(found[1], COMMANDS)}"
    if command is None:
        return f"a command must be given, one of {', '.join(COMMANDS)}; see multimix --help"
    names = [item.name for item in fields(COMMANDS[command].settings)]
    together = [name for name in COMMANDS[command].positional if name in _lists(COMMANDS[command])]
    if together and (found := re.search(r"unrecognized arguments: ([^-]\S*)", message)):
        return f"{together[0]} must stand side by side, got {found[1]} apart; give all of them before the flags"
    if found := re.search(r"(?:unrecognized arguments: -*|not accept option ')([\w.]+)", message):
        return f"a setting of {command} must be known, got {found[1]}; {nearest(found[1], names)}"
    if "are required:" in message:
        missing = message.partition("are required:")[2].replace(f"{command}.", "").strip()
        return f"{command} needs {missing}; see multimix {command} --help"
    if found := re.search(r'Parser key "(\w+)".*(?:value: )(.*)', message, re.DOTALL):
        kinds = {item.name: item.type for item in fields(COMMANDS[command].settings)}
        kind = _type_name(kinds.get(found[1]))
        return f"{found[1]} must be of type {kind}, got {found[1]}={found[2]}; give such a value"
    if "Problems parsing config" in message or "File does not exist" in message:
        return f"config must be a YAML file of settings: {' '.join(message.partition(':')[2].split())}"
    return " ".join(message.split())


def _type_name(kind: object) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)
