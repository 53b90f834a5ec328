"""From the parser's complaints about a command line to this program's words.

jsonargparse raises one type of error, whose only content is a message; `explained` reads it. It decides on the words
alone: a message that no pattern fits is shown as it is, with the same exit code.
"""

import difflib
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any

from multimix.lab.command_line.command import Command
from multimix.lab.command_line.commands import COMMANDS
from multimix.suggest import OTHER_NAMES, nearest

# What a value must be, and one that it could be where there is no default, by how the type is written.
KINDS = {
    "int": ("a whole number", "5"),
    "float": ("a finite number", "0.1"),
    "bool": ("true or false", "true"),
    "tuple[int, ...]": ("whole numbers, comma separated", "1,5"),
    "tuple[float, ...]": ("finite numbers, comma separated", "0.2,1"),
    "tuple[str, ...]": ("text, comma separated", "a,b"),
    "tuple[float | str, ...]": ("numbers or text, comma separated", "0,50%"),
}


def list_settings(command: Command) -> list[str]:
    """Return the settings that are lists."""
    return [item.name for item in fields(command.settings) if "tuple" in str(item.type)]


def command_in(arguments: Sequence[str]) -> str | None:
    """Return the subcommand of a command line."""
    return next((argument for argument in arguments if argument in COMMANDS), None)


def explained(message: str, arguments: Sequence[str]) -> str:
    """Return what is wrong with a command line, and what to do."""
    name = command_in(arguments)
    if found := re.search(r"invalid choice: '(\S+)'", message):
        return f"the command must be one of {', '.join(COMMANDS)}, got {found[1]}; {_one_of(found[1])}"
    if name is None:
        return f"a command must be given, one of {', '.join(COMMANDS)}; see multimix --help"
    for pattern, explain in EXPLANATIONS.items():
        if found := re.search(pattern, message, re.DOTALL):
            if explain is _wrong_value and _is_list_in_file(name, found[1], arguments):
                explain = _wrong_list
            return explain(name, *found.groups())
    return " ".join(message.split())


def _one_of(name: str) -> str:
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    return nearest(name, COMMANDS) if close else "see multimix --help"


def _unknown_flag(name: str, setting: str) -> str:
    return _unknown(name, setting, lambda known: f"--{known.replace('_', '-')}")


def _unknown(name: str, setting: str, written: Callable[[str], str] = '"{}"'.format) -> str:
    """Name the setting that has this name elsewhere, or these initials; the nearest one; or the option called so."""
    if setting == "dry_run":
        return f"--dry-run takes no value, got one for multimix {name}; leave it out"
    known = [item.name for item in fields(COMMANDS[name].settings)]
    alike = [OTHER_NAMES[setting]] if OTHER_NAMES.get(setting) in known else []
    alike += [other for other in known if setting == "".join(word[0] for word in other.split("_"))]
    alike += difflib.get_close_matches(setting.lower(), known, n=1)
    if alike:
        remedy = f"did you mean {written(alike[0])}?"
    elif "method_options" in known and setting in _method_options():
        remedy = f"an option of a method is given as --method-options.{setting}"
    else:
        remedy = f"see multimix {name} --help"
    return f"a setting of {name} must be known, got {setting}; {remedy}"


def _method_options() -> set[str]:
    from multimix.methods import METHODS

    return {item.name for method in METHODS.values() for item in fields(method)}  # type: ignore[arg-type]


def _stray(name: str, word: str) -> str:
    """Return a word where a flag should be: one place too many, or a list with blanks."""
    command = COMMANDS[name]
    together = [place for place in command.positional if place in list_settings(command)]
    if together:
        return f"{together[0]} must stand side by side, got {word} apart; give all of them before the flags"
    takes = f"only {', '.join(command.positional)} and flags" if command.positional else "flags only"
    return f"{name} takes {takes}, got {word!r}; leave it out, or join values by commas, as in --flag a,b"


def _one_place(name: str) -> str:
    """Return what a file must have where it has a single value for what stands side by side on a command line."""
    (place,) = COMMANDS[name].positional
    return f"{place} must be a list of text, got a single value in a file; write {place}: [a, b]"


def _wrong_value(name: str, setting: str, value: str) -> str:
    item, written = _field(name, setting)
    value = " ".join(value.split())
    if written.startswith("dict"):
        return _wrong_options(setting, value)
    if written == "str":  # only in a file: of a flag every value is text
        quoted = f'"{_as_yaml(value)}"' if re.fullmatch(r"[\w.+-]+", value) else '"..."'
        return f"{setting} must be text, got {setting}={value}; quote it in a file, {setting}: {quoted}"
    if setting in list_settings(COMMANDS[name]):
        value = value.removeprefix("[").removesuffix("]")
    meaning, example = KINDS.get(written, ("a single value", "5"))
    return f"{setting} must be {meaning}, got {setting}={value}; try {_default(item) or example}"


def _wrong_list(name: str, setting: str, value: str) -> str:
    """Explain a list in a file, where it stands in brackets; what is in there may be of the wrong kind, too."""
    item, written = _field(name, setting)
    value = " ".join(value.split())
    parts = [part.strip() for part in value.split(",")]
    fit = all(_is_one(part, written) for part in parts)
    listed = parts if fit else (_default(item) or KINDS[written][1]).split(",")
    kind = KINDS[written][0].removesuffix(", comma separated")
    return f"{setting} must be a list of {kind}, got {setting}={value}; write {setting}: [{', '.join(listed)}]"


def _is_list_in_file(name: str, setting: str, arguments: Sequence[str]) -> bool:
    flags = {argument.partition("=")[0].replace("_", "-") for argument in arguments}
    in_file = "--config" in flags and f"--{setting.replace('_', '-')}" not in flags
    return in_file and setting in list_settings(COMMANDS[name])


def _field(name: str, setting: str) -> "tuple[Field[Any], str]":
    """Return a setting, and how its type is written."""
    item = next(item for item in fields(COMMANDS[name].settings) if item.name == setting)
    written = item.type.__name__ if isinstance(item.type, type) and "[" not in str(item.type) else str(item.type)
    return item, written.removesuffix(" | None")


def _is_one(text: str, written: str) -> bool:
    """Whether a word can stand, without quotes, in a list of such a type."""
    if "str" not in written:
        return _is_number(text, int if "int" in written else float)
    is_word = re.fullmatch(r"True|False|None|.*[][{}].*|", text) is None
    return is_word and ("float" in written or not _is_number(text, float))


def _is_number(text: str, kind: Callable[[str], float]) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _as_yaml(value: str) -> str:
    return value.lower() if value in ("True", "False") else value


def _wrong_options(setting: str, value: str) -> str:
    flag = f"--{setting.replace('_', '-')}"
    pair = re.fullmatch(r"(\w+)[=:](\S+)", value)
    example = f"{flag}.{pair[1]} {shlex.quote(pair[2])}" if pair else f"{flag}.NAME VALUE"
    return f"{setting} must be given one by one with their names, got {setting}={value}; write {example}"


def _default(item: "Field[Any]") -> str | None:
    if item.default is MISSING or item.default is None:
        return None
    if isinstance(item.default, tuple):
        return ",".join(map(str, item.default)) or None
    return str(item.default).lower() if isinstance(item.default, bool) else str(item.default)


EXPLANATIONS: dict[str, Callable[..., str]] = {
    r"unrecognized arguments: --([\w.]+)": _unknown_flag,
    r"not accept option '([\w.-]+)": _unknown,  # in a file it may be written like a flag
    r"unrecognized arguments: -(\S+)": lambda name, word: (
        f"a flag must begin with two dashes, got -{word}; see multimix {name} --help"
    ),
    r"unrecognized arguments: (\S+)": _stray,
    r"are required:(.*)": lambda name, settings: (
        f"{name} needs {settings.replace(f'{name}.', '').strip()}; see multimix {name} --help"
    ),
    r"argument (--?\S+): expected one argument": lambda name, flag: (
        f"a flag must be followed by its value, got {flag.replace('_', '-')} alone; see multimix {name} --help"
    ),
    r'Parser key "(\w+)".*value: (.*)': _wrong_value,
    r"does not support item assignment": _one_place,
    r"Unexpected config: (.*)": lambda name, content: (
        f"config must be a YAML file of settings, got {' '.join(content.split())}; write name: value, one a line"
    ),
}
