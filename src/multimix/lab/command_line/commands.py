"""The subcommands of the program: what can be set, and what is called; what a command needs is imported by it alone."""

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from multimix.lab.about.settings import DoctorSettings, MethodsSettings
from multimix.lab.choose.settings import ChooseSettings
from multimix.lab.command_line.command import Command
from multimix.lab.command_line.completion import CompletionSettings, completion
from multimix.lab.command_line.settings_file import InitSettings, write_settings
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.plain_console import PlainConsole
from multimix.lab.core.printable import printable
from multimix.lab.core.warnings import fail, warn
from multimix.lab.evaluate.settings import EvaluateSettings
from multimix.lab.preview.settings import PreviewSettings
from multimix.lab.report.settings import ReportSettings
from multimix.lab.train.settings import TrainSettings
from multimix.lab.variance.settings import VarianceSettings


def _say(console: PlainConsole, line: str) -> None:
    console.print(printable(line), soft_wrap=True)


def _told(failures: Mapping[str, str]) -> int:
    """Say which runs failed, and why; return the exit code."""
    for name, reason in failures.items():
        print(printable(f"{name} failed: {reason}"), file=sys.stderr)
    return 1 if failures else 0


def _train(settings: TrainSettings, console: PlainConsole) -> None:
    from multimix.lab.core.processes import destroy_process_group
    from multimix.lab.train.run import train
    from multimix.lab.train.watch import Watch

    try:
        with Watch(settings, console.progress) as watch:
            done = train(settings, on_record=watch.on_record, log=warn, on_step=watch.on_step)
    finally:
        destroy_process_group()
    said = "finished" if done else "was finished before, nothing to do"
    _say(console, f"{settings.out}: {said}")


def _try_training(settings: TrainSettings, console: PlainConsole) -> None:
    from multimix.lab.train.dry_run import dry_run

    for line in dry_run(settings):
        _say(console, line)


def _compare(settings: CompareSettings, console: PlainConsole) -> int:
    from multimix.lab.compare.run import compare
    from multimix.lab.report.compared import show_comparison
    from multimix.lab.report.previews import Samples

    command = shlex.join(["multimix", *sys.argv[1:]])
    failures = compare(settings, command, console.progress)
    show_comparison(Path(settings.out), Samples(settings.data, settings.data_root), console)
    return _told(failures)


def _plan_comparison(settings: CompareSettings, console: PlainConsole) -> None:
    from multimix.lab.compare.run import show_plan

    show_plan(settings, console)


def _choose(settings: ChooseSettings, console: PlainConsole) -> int:
    from multimix.lab.choose.run import choose

    failures = choose(settings, shlex.join(["multimix", *sys.argv[1:]]), console)
    return _told(failures)


def _show_candidates(settings: ChooseSettings, console: PlainConsole) -> None:
    from multimix.lab.choose.run import show_candidates

    show_candidates(settings, console)


def _evaluate(settings: EvaluateSettings, console: PlainConsole) -> None:
    from multimix.lab.evaluate.runs import evaluate_runs
    from multimix.lab.report.evaluated import print_evaluated

    print_evaluated(evaluate_runs(settings, console.progress), settings.evaluators, console)


def _report(settings: ReportSettings, console: PlainConsole) -> int:
    from multimix.lab.report.make import make

    left_out = make(settings, warn)
    for file in settings.files:
        _say(console, f"Report: {file}")
    return 1 if left_out else 0


def _preview(settings: PreviewSettings, console: PlainConsole) -> None:
    from multimix.lab.core.progress_bar import bar
    from multimix.lab.preview.make import preview

    with bar(console.progress) as advance:
        notes = preview(settings, advance)
    for line in notes:
        _say(console, line)


def _variance(settings: VarianceSettings, console: PlainConsole) -> None:
    from multimix.lab.core.progress_bar import bar
    from multimix.lab.variance.run import FILE, PICTURE, measure
    from multimix.lab.variance.terminal import legend, print_moment

    command = shlex.join(["multimix", *sys.argv[1:]])
    with bar(console.progress) as advance:
        measure(
            settings, command, partial(_say, console.progress), partial(print_moment, console=console), advance=advance
        )
    _say(console, legend(settings.replicates))
    _say(console, f"{settings.out}: {FILE} and {PICTURE}")


def _methods(settings: MethodsSettings, console: PlainConsole) -> None:
    if settings.name is None:
        from multimix.lab.about.methods import print_methods

        print_methods(console)
    else:
        from multimix.lab.about.one_method import print_method

        print_method(settings.name, console)


def _init(settings: InitSettings, console: PlainConsole) -> None:
    name, file = settings.name, settings.file
    write_settings(name, COMMANDS[name].settings, COMMANDS[name].opens, file)
    _say(console, f"{file}: all settings; multimix {name} --config {shlex.quote(file)} --dry-run says what they do")


def _completion(settings: CompletionSettings, console: PlainConsole) -> None:
    print(completion(settings.shell, COMMANDS))


def _doctor(settings: DoctorSettings, console: PlainConsole) -> int:
    from multimix.lab.about.doctor import examine, installation
    from multimix.lab.about.doctor.screen import print_findings, print_installation
    from multimix.lab.core.progress_bar import bar

    installed = installation()
    if not settings.json:
        print_installation(installed, console)
        sys.stdout.flush()
    with bar(console.progress) as advance:
        found = examine(installed, advance)
    if settings.json:
        print(json.dumps(asdict(found), indent=2))
    else:
        print_findings(found, console)
    for line in found.wrong:
        fail(line)
    return 1 if found.wrong else 0


COMMANDS = {
    "train": Command("Train one model.", TrainSettings, _train, try_out=_try_training),
    "compare": Command(
        "Compare methods, numbers of mixes and controls over seeds.",
        CompareSettings,
        _compare,
        try_out=_plan_comparison,
    ),
    "choose": Command(
        "Choose by measurement what to train with: no mixing or a method, K, rows per step and length.",
        ChooseSettings,
        _choose,
        try_out=_show_candidates,
        opens=("data", "model", "budget", "out", "methods", "num_mixes", "batch_sizes", "steps"),
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
    "preview": Command(
        "Draw the path between two pictures, sounds or series.", PreviewSettings, _preview, ("file_a", "file_b")
    ),
    "variance": Command("Measure the variance of the gradient along a run.", VarianceSettings, _variance),
    "methods": Command(
        "List the mixing methods, or say all about the one that is named.", MethodsSettings, _methods, ("name",)
    ),
    "init": Command(
        "Write a file of settings to begin with.", InitSettings, _init, ("command",), typed={"o": "output"}
    ),
    "completion": Command(
        "Print a script with which a shell completes commands and settings.",
        CompletionSettings,
        _completion,
        ("shell",),
    ),
    "doctor": Command("See what is on this machine, and whether mixing works on it.", DoctorSettings, _doctor),
}
