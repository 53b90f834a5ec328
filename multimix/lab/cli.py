"""The program `multimix`: parse, call, print. Exit codes: 0 done, 1 a run failed, 2 bad usage."""

import re
import shlex
import sys
from argparse import HelpFormatter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser
from rich.console import Console
from rich.markup import escape

from multimix.lab.config import CompareSettings, EvaluateSettings, PreviewSettings, TrainSettings, VarianceSettings
from multimix.lab.errors import FailedAlone, RunFailed, UsageError
from multimix.lab.ranks import is_first
from multimix.lab.report.settings import ReportSettings
from multimix.suggest import nearest

DRY_RUN = "--dry-run"
PLAIN_WIDTH = 160  # columns where there is no terminal that could tell


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Args:
        says: What it does, for the help.
        settings: What can be set.
        call: Does it, given settings and a console; returns the exit code.
        positional: Settings that are given by place; where one is a list, as many as there are.
        typed: Names that settings are typed by, too.
        try_out: Says what it would do, given settings and a console, where --dry-run asks for that.
    """

    says: str
    settings: type
    call: Callable[[Any, Console], int]
    positional: tuple[str, ...] = ()
    typed: Mapping[str, str] = field(default_factory=dict)
    try_out: Callable[[Any, Console], int] | None = None


def _train(settings: TrainSettings, console: Console) -> int:
    from multimix.lab.processes import leave
    from multimix.lab.train import train, with_num_mixes
    from multimix.lab.watch import Watch

    def tell(line: str) -> None:
        console.print(escape(line), soft_wrap=True)

    settings = with_num_mixes(settings, tell, console.print)
    try:
        with Watch(settings, console) as watch:
            done = train(settings, on_record=watch.on_record, tell=_complain, on_step=watch.on_step)
    finally:
        leave()
    console.print(f"{settings.out}: {'finished' if done else 'was finished before, nothing to do'}", soft_wrap=True)
    return 0


def _try_training(settings: TrainSettings, console: Console) -> int:
    from multimix.lab.dry_run import dry_run

    for line in dry_run(settings):
        console.print(escape(line), soft_wrap=True)
    return 0


def _compare(settings: CompareSettings, console: Console) -> int:
    from multimix.lab.compare import compare

    command = shlex.join(["multimix", *sys.argv[1:]])
    failures = compare(settings, command, console)
    for name, reason in failures.items():
        print(f"{name} failed: {reason}", file=sys.stderr)
    return 1 if failures else 0


def _plan_comparison(settings: CompareSettings, console: Console) -> int:
    from multimix.lab.compare import show_plan

    show_plan(settings, console)
    return 0


def _evaluate(settings: EvaluateSettings, console: Console) -> int:
    from multimix.lab.evaluate.runs import evaluate_runs
    from multimix.lab.report.evaluated import print_evaluated

    print_evaluated(evaluate_runs(settings, console), settings.evaluators, console)
    return 0


def _report(settings: ReportSettings, console: Console) -> int:
    from multimix.lab.report.make import make

    for file in make(settings):
        console.print(f"Report: {escape(str(file))}", soft_wrap=True)
    return 0


def _preview(settings: PreviewSettings, console: Console) -> int:
    from multimix.lab.preview import preview

    for line in preview(settings):
        console.print(escape(line), soft_wrap=True)
    return 0


def _variance(settings: VarianceSettings, console: Console) -> int:
    from multimix.lab.variance.run import FILE, PICTURE, measure
    from multimix.lab.variance.terminal import legend, print_moment

    def tell(line: str) -> None:
        console.print(escape(line), soft_wrap=True)

    command = shlex.join(["multimix", *sys.argv[1:]])
    measure(settings, command, tell=tell, on_moment=lambda moment: print_moment(moment, console))
    console.print(legend(settings.replicates), soft_wrap=True)
    console.print(f"{settings.out}: {FILE} and {PICTURE}", soft_wrap=True, markup=False)
    return 0


COMMANDS = {
    "train": Command("Train one model.", TrainSettings, _train, try_out=_try_training),
    "compare": Command(
        "Compare methods, numbers of mixes and controls over seeds.",
        CompareSettings,
        _compare,
        try_out=_plan_comparison,
    ),
    "evaluate": Command(
        "Ask more of finished runs.",
        EvaluateSettings,
        _evaluate,
        ("runs",),
        typed={"with": "evaluators"},  # a word that no field of Python's can have
    ),
    "report": Command(
        "Make a page, tables or a results file of comparisons.",
        ReportSettings,
        _report,
        ("sources",),
        typed={"o": "output"},
    ),
    "preview": Command("Draw the path between two images.", PreviewSettings, _preview, ("image_a", "image_b")),
    "variance": Command("Measure the variance of the gradient along a run.", VarianceSettings, _variance),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    console = Console(
        width=None if sys.stdout.isatty() else PLAIN_WIDTH,
        highlight=False,
        quiet=not is_first(),
        force_interactive=None if sys.stdout.isatty() else False,  # FORCE_COLOR asks for colours, not for a live line
    )
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        name, settings = parse([argument for argument in given if argument != DRY_RUN])
        call = COMMANDS[name].try_out if DRY_RUN in given else COMMANDS[name].call
        if call is None:
            raise UsageError(f"{name} has nothing to try out, got {DRY_RUN}; leave it out")
        return call(settings, console)
    except UsageError as error:
        _complain(str(error))
        return 2
    except RunFailed as error:
        _complain(str(error), alone=isinstance(error, FailedAlone))
        return 1
    except OSError as error:  # disk full, no permission, a file where a folder should be
        _complain(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
        return 1
    except KeyboardInterrupt:
        _complain("interrupted; the same command does what is missing")
        return 1


def _complain(line: str, alone: bool = False) -> None:
    if is_first() or alone:  # what all processes meet is said once
        print(f"multimix: {line}", file=sys.stderr)


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
