"""What a report needs of a file, so that no table or picture fails on it later; all else is refused, with why."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from multimix.lab.compare.controls import CONTROLS
from multimix.lab.core.errors import Damaged, UsageError
from multimix.lab.core.printable import printable, printable_inside
from multimix.lab.report.metrics import is_bin
from multimix.lab.train.method_schedule import MethodSchedule

LARGEST = 1e15  # of any number: seconds, rows, losses stay far below it
CONDITIONS = ("device", "processor", "threads", "jobs", "torch")  # what the page says of how times were measured
MOST_NUMBERS = 1000  # of a run; all evaluators together give about 400
MOST_DIGITS = 3  # of a bin's number
MOMENTS = 1e-9  # seconds: no run takes less
BINS = ("count", "confidence", "accuracy")
KINDS = {dict: "object", list: "list", str: "text"}

T = TypeVar("T", dict[str, Any], list[Any], str)


def number(value: object, what: str, least: float = -LARGEST) -> float:
    """Return a number that can be computed with.

    Raises:
        Damaged: if it is none; so do the other functions.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= LARGEST:
        raise Damaged(f"{printable(what)} is {printable(repr(value))[:40]}, which is no number that it can be")
    return value


def numbers(value: object, what: str) -> dict[str, float]:
    """Return named numbers."""
    return {printable(name): number(inner, name) for name, inner in typed(value, dict, what).items()}


def whole(value: object, what: str, least: int = 0) -> int:
    """Return a whole number."""
    if not isinstance(value, int):
        raise Damaged(f"{what} is {printable(repr(value))[:40]}, which is no whole number")
    return int(number(value, what, least))


def typed(value: object, kind: type[T], what: str) -> T:
    """Return an object, a list or a text of JSON."""
    if not isinstance(value, kind):
        raise Damaged(f"{what} is no {KINDS[kind]}")
    return value


def text(value: object, what: str) -> str:
    """Return a text as it may be shown."""
    return printable(typed(value, str, what))


def texts(value: object, what: str) -> list[str]:
    """Return texts as they may be shown."""
    return [text(each, what) for each in typed(value, list, what)]


def evaluation(values: Mapping[str, Any]) -> dict[str, float]:
    """Return a run's final numbers; the bars of reliability diagrams are whole."""
    if len(values) > MOST_NUMBERS:
        raise Damaged(f"evaluation has {len(values):,} numbers, more than {MOST_NUMBERS:,}")
    found = numbers(dict(values), "evaluation")
    if "error" not in found:
        raise Damaged("evaluation has no error")
    for name in filter(is_bin, found):
        _, of_bin, _ = parts = name.split("/")
        bar = [found.get(f"{parts[0]}/{of_bin}/{of_what}") for of_what in BINS]
        if len(of_bin) > MOST_DIGITS or (name.endswith("/count") and (None in bar or found[name] <= 0)):
            raise Damaged(f"{name} is no bar of a diagram")
    return found


def cost(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """Return what a run cost."""
    found = numbers(dict(values), "cost")
    return {name: number(found.get(name), name, MOMENTS if name.endswith("_s") else 1) for name in names}


def environment(values: object) -> dict[str, Any]:
    """Return the conditions of a run, as they may be shown."""
    conditions = typed(printable_inside(values), dict, "environment")
    for name in CONDITIONS:
        if not isinstance(conditions.get(name), str | int):
            raise Damaged(f"environment has no {name}")
    whole(conditions["threads"], "threads", least=1)
    return conditions


def method(value: object) -> str:
    """Return the name of a method, or a schedule of such."""
    name = text(value, "method")
    try:
        MethodSchedule.parse(name)
    except (UsageError, ValueError) as error:
        raise Damaged(str(error)) from error
    return name


def control(value: object) -> str:
    """Return what is held equal, empty for nothing."""
    name = text(value, "control")
    if name not in ("", *CONTROLS):
        raise Damaged(f"control is {name!r}, which is none of {', '.join(CONTROLS)}")
    return name


def settings(values: object) -> dict[str, Any]:
    """Return a comparison's settings, as they may be shown."""
    found = typed(printable_inside(values), dict, "settings")
    for name, kind in (("data", list), ("data_options", dict), ("method_options", dict), ("model", str)):
        if name in found and not isinstance(found[name], kind):
            raise Damaged(f"the setting {name} is of another type")
    if not found.get("data") or not all(isinstance(data, str) for data in found["data"]):
        raise Damaged("the settings name no data")
    return dict.fromkeys(("model", "batch_size", "steps", "epochs")) | found


def curve(lines: Mapping[str, Sequence[object]]) -> dict[str, list[float]]:
    """Return the lines of a curve, all of the same length, over steps that rise."""
    found = {name: [number(value, name) for value in typed(line, list, name)] for name, line in lines.items()}
    steps = found["step"]
    if not steps or {len(line) for line in found.values()} != {len(steps)}:
        raise Damaged("its curve has lines of different lengths, or none")
    if steps[0] <= 0 or any(after <= before for before, after in pairwise(steps)):
        raise Damaged("its steps do not rise")
    return found
