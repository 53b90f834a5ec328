"""The methods on the terminal."""

from collections.abc import Mapping

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from multimix.lab.about.method_facts import AXES, MethodFacts, all_facts
from multimix.lab.about.mixing_speed import NUM_MIXES, SHAPE, Speed, mixing_speed
from multimix.lab.about.settings import MethodsSettings

WIDEST = 120  # columns; longer lines are hard to read


def print_methods(settings: MethodsSettings, console: Console) -> None:
    """Print all methods; with costs measured now, if so wished."""
    facts = all_facts()
    speeds = {fact.name: mixing_speed(fact.name, torch.device("cpu")) for fact in facts} if settings.cost else {}
    console.print(method_table(facts, speeds, min(console.width, WIDEST)))
    console.print(_legend(settings.cost), width=min(console.width, WIDEST))


def method_table(facts: list[MethodFacts], speeds: Mapping[str, Speed], width: int) -> Table:
    """Return the table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), width=width)
    table.add_column("method", style="bold", no_wrap=True)
    table.add_column("what it does, its options, its paper", ratio=1)
    table.add_column("where, what, needs", width=27)
    if speeds:
        table.add_column("copies", justify="right", no_wrap=True)
    for fact in facts:
        cost = [f"{speeds[fact.name].mixing:.2f}\n{speeds[fact.name].whole:.2f}"] if speeds else []
        table.add_row(fact.name, _text(fact), "\n".join(needs(fact)), *cost)
        table.add_row()  # a line's distance to the next
    return table


def needs(fact: MethodFacts) -> list[str]:
    """Return where a method mixes, what, and what it needs, in short lines."""
    what = ", ".join(fact.axes) if fact.axes != AXES else "any number of axes"
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


def _legend(with_costs: bool) -> str:
    use = "Use: MultiMix(NAME), or an object, MultiMix(CutMix(alpha=0.5)); multimix train --method NAME."
    if not with_costs:
        return f"{use}\nmultimix methods --cost measures how fast each of them mixes."
    shape = " x ".join(map(str, SHAPE))
    return (
        f"{use}\nCopies: the time of mixing K = {NUM_MIXES} of {shape} into a buffer, on one core of this CPU, over "
        "that of a copy of the output; below it with drawing, without labels and a model's gradient. Methods that mix "
        "inside a model are measured at its input."
    )
