"""What a method is, asked of its code, so that a new one needs no line here; and all of them on the terminal."""

import inspect
import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import nn

from multimix import MultiMix
from multimix.methods import METHODS, Method

AXES = ("series", "images", "volumes", "more axes")  # one, two, three, four spatial axes
SIDE = 16  # positions per axis of the batch that is tried
WIDEST = 120  # columns; longer lines are hard to read
USE = "Use: MultiMix(NAME), or an object, MultiMix(CutMix(alpha=0.5)); multimix train --method NAME."
ARG = re.compile(r"^    (\w+): (.+(?:\n     .+)*)", re.MULTILINE)  # a line of a section Args, and those indented below


class Layers(nn.Identity):
    """A model that does nothing and may be mixed at its input: it lets a method show its mixes."""

    mix_layers = ("",)


@dataclass(frozen=True)
class MethodFacts:
    """What a user chooses by.

    Args:
        name: As `--method` and `MultiMix` take it.
        does: The first line of its docstring.
        details: The rest of what its docstring says before its sections, one string per paragraph.
        options: Its hyper-parameters and their defaults, as they are written.
        meanings: What its docstring says of each of them.
        inside: Whether it mixes at a layer of the model, else at the input.
        saliency: Whether it asks what is important in a sample.
        model: Whether it asks a model, where none is given.
        blends: Whether it averages values, so that they must be floating point.
        axes: What it mixes, of AXES.
        paper: Where it is from; empty where its docstring names nothing.
    """

    name: str
    does: str
    details: tuple[str, ...]
    options: dict[str, str]
    meanings: dict[str, str]
    inside: bool
    saliency: bool
    model: bool
    blends: bool
    axes: tuple[str, ...]
    paper: str


def all_facts() -> list[MethodFacts]:
    """Return the facts of all methods, in the order of their table."""
    return [method_facts(name) for name in METHODS]


def method_facts(name: str) -> MethodFacts:
    """Return the facts of a method."""
    method = METHODS[name]()
    said = inspect.getdoc(type(method)) or ""
    does, *details = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\n", _before_sections(said)))
    return MethodFacts(
        name=name,
        does=does,
        details=tuple(details),
        options=_options(method),
        meanings={option: " ".join(meaning.split()) for option, meaning in ARG.findall(_section(said, "Args"))},
        inside=method.inside,
        saliency=method.salient,
        model=method.asks_model,
        blends=method.blends,
        axes=tuple(axes for count, axes in enumerate(AXES, start=1) if _takes(method, count)),
        paper=" ".join(_section(said, "References").split()),
    )


def _options(method: Method) -> dict[str, str]:
    found = {}
    for item in fields(method):  # type: ignore[arg-type]
        default = item.default if item.default is not MISSING else getattr(method, item.name)
        found[item.name] = _written(default)
    return found


def _written(value: Any) -> str:
    if isinstance(value, Callable):  # type: ignore[arg-type]
        return str(getattr(value, "__name__", value))
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _takes(method: Method, axes: int) -> bool:
    """Whether a method mixes a batch with so many spatial axes."""
    x = torch.zeros(2, 1, *[SIDE] * axes)
    try:
        if method.salient:  # refused before any work, so that nothing is compiled for a question
            method.check_input(x, None, None, saliency=x[:, 0])
        else:
            MultiMix(method, num_mixes=1).plan(x, model=Layers())
    except ValueError:
        return False
    return True


def _before_sections(doc: str) -> str:
    """Return a docstring up to its first section."""
    return re.split(r"^[A-Z]\w+:\n", doc, maxsplit=1, flags=re.MULTILINE)[0].strip()


def _section(doc: str, head: str) -> str:
    """Return the lines of a section of a docstring."""
    found = re.search(rf"^{head}:\n((?:[ \t]+\S.*\n?)+)", doc, re.MULTILINE)
    return found[1] if found else ""


def print_methods(console: Console) -> None:
    """Print all methods, and how they are named."""
    width = min(console.width, WIDEST)
    console.print(method_table(width))
    console.print(USE, width=width)


def method_table(width: int) -> Table:
    """Return the table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), width=width)
    table.add_column("method", style="bold", no_wrap=True)
    table.add_column("what it does, its options, its paper", ratio=1)
    table.add_column("where, what, needs", width=27)
    for fact in all_facts():
        table.add_row(fact.name, _text(fact), "\n".join(needs(fact)))
        table.add_row()  # a line's distance to the next
    return table


def needs(fact: MethodFacts) -> list[str]:
    """Return where a method mixes, what, and what it needs, in short lines."""
    what = "any number of axes" if fact.axes == AXES else ", ".join(fact.axes)
    where = "at a layer of the model" if fact.inside else "at the input"
    lines = [where, what, "floating point" if fact.blends else "any type of number"]
    if fact.saliency:
        lines.append("needs saliency, or a model" if fact.model else "may be given saliency")
    return [*lines, *["needs the names of layers"] * fact.inside]


def options(fact: MethodFacts) -> str:
    """Return a method's options with their defaults."""
    return ", ".join(f"{name}={default}" for name, default in fact.options.items())


def _text(fact: MethodFacts) -> Text:
    parts = [Text(fact.does.replace("`", ""))]
    if fact.options:
        parts.append(Text(options(fact), style="cyan"))
    if fact.paper:
        parts.append(Text(fact.paper, style="dim"))
    return Text("\n").join(parts)
