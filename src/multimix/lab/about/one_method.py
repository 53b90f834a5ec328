"""One method on the terminal: what it does, what can be set, what it mixes and needs, and how it is used."""

import re
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table

from multimix.lab.about.methods import WIDEST, MethodFacts, method_facts, needs
from multimix.methods import METHODS


def print_method(name: str, console: Console) -> None:
    """Print what there is to know about a method."""
    fact, width = method_facts(name), min(console.width, WIDEST)
    for paragraph in (f"{name}: {fact.does}", *fact.details):
        console.print(_plain(paragraph), "", sep="\n", width=width)
    if fact.options:
        console.print("Options", style="bold")
        meant = [(f"{option}={default}", fact.meanings.get(option, "")) for option, default in fact.options.items()]
        console.print(_pairs(meant, style="cyan", width=width), "", sep="\n")
    console.print(_pairs(_uses(fact), style="bold", width=width))


def _uses(fact: MethodFacts) -> Iterator[tuple[str, str]]:
    asks_model = fact.inside or fact.model
    yield "Mixes", "; ".join(needs(fact))
    if fact.paper:
        yield "Paper", fact.paper
    if not fact.inside:  # by its name alone it would not know where to mix
        yield "Library", _made(f'"{fact.name}"')
    yield "Object" if not fact.inside else "Library", _made(_object(fact))
    yield "Loop", "logits, y_mix = mix.run(model, x, y)" if asks_model else "x_mix, y_mix = mix(x, y)"
    yield "Train", f"multimix train --method {fact.name}{_flag(fact)} --num-mixes 5 --out runs/{fact.name}"
    if not fact.inside:  # its path is one of activations
        yield "Picture", f"multimix preview A.png B.png --method {fact.name} --out path.png"


def _object(fact: MethodFacts) -> str:
    first = next((f"{option}={default}" for option, default in _typed(fact)), "")
    if fact.inside:
        first = f'layers=["layer2"], {first}'  # as models often call one
    return f"{METHODS[fact.name].__name__}({first})"


def _made(method: str) -> str:
    return f"mix = MultiMix({method}, num_mixes=5, num_classes=10)"


def _flag(fact: MethodFacts) -> str:
    return next((f" --method-options.{option} {default}" for option, default in _typed(fact)), "")


def _typed(fact: MethodFacts) -> Iterator[tuple[str, str]]:
    """Yield the options with a default that is a number."""
    return ((option, default) for option, default in fact.options.items() if re.fullmatch(r"[\d.]+", default))


def _pairs(pairs: Iterable[tuple[str, str]], style: str, width: int) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.width = width
    grid.add_column(style=style, no_wrap=True)
    grid.add_column(ratio=1)
    for name, said in pairs:
        grid.add_row(name, _plain(said))
    return grid


def _plain(text: str) -> str:
    return text.replace("`", "")
