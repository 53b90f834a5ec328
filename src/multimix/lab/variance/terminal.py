"""What was measured at a moment, on the terminal."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from multimix.lab.variance.claims import claims, drawn, verdict
from multimix.lab.variance.designs import largest_plain

Json = dict[str, Any]
COLOURS = {"below": "green", "above": "red", "not significant": ""}


def print_moment(moment: Json, console: Console) -> None:
    """Print the tables of a moment and what they say of the paper's propositions."""
    rest = f"  step {moment['step']}, epoch {moment['epoch']:.1f}, test error {moment['error']:.1%}"
    console.print(Text.assemble((moment["at"], "bold underline"), rest), soft_wrap=True)
    for table in (_by_k(moment), _at_a_price(moment), _checks(moment)):
        if table is not None:
            console.print(table)
    for line in (_about_cost(moment), *_about_parts(moment["parts"]), *claims(moment)):
        console.print(line, soft_wrap=True)
    console.print()


def legend(replicates: int) -> str:
    """Return what the numbers mean."""
    return (
        f"V: variance of one batch's gradient; 95 % intervals by the jackknife over {replicates} batches. Green is "
        f"below, red above K = 1 of the same draw. One comparison in twenty is marked by chance alone."
    )


def _by_k(moment: Json) -> Table:
    """V in units of K = 1 as configured, a column for each K."""
    designs = moment["designs"]
    unit = designs[0]["variance"]["value"]
    values = sorted({design["num_mixes"] for design in designs})
    table = _table(f"V, in units of K = 1 as configured ({unit:.3g})", ("batch", "drawn"), [f"K={k}" for k in values])
    groups: dict[tuple[str, str], dict[int, Json]] = {}
    for design in designs:
        norm = ", kept statistics" if design["norm"] == "kept" else ""
        groups.setdefault((design["kind"], drawn(design) + norm), {})[design["num_mixes"]] = design
    for (kind, how), group in groups.items():
        table.add_row(kind, how, *(_cell(group.get(k), unit) for k in values))
    table.caption = f"Floor, P pairs × ∞: {interval(moment['floor']['to_one'])}"
    table.caption_justify = "left"
    return table


def _cell(design: Json | None, unit: float) -> Text:
    if design is None:
        return Text()
    colour = COLOURS[verdict(design["to_one"])]
    text = number(design["variance"]["value"] / unit)
    return Text(text, colour)


def _at_a_price(moment: Json) -> Table:
    """Ways to lower the variance, beside each other and what they cost; relative, so that no scaling helps."""
    designs = moment["designs"]
    first = designs[0]
    values = [1, largest_plain([d["num_mixes"] for d in designs if d["num_mixes"] > 1]), designs[-1]["num_mixes"]]
    shown = [
        d
        for d in designs
        if (d["sampling"], d["share"], d["partners"]) == (first["sampling"], first["share"], first["partners"])
        and (d["num_mixes"] in values[:2] or d["norm"] == "kept")
    ]
    table = _table(
        "Ways to lower it, as configured", ("batch",), ("pairs", "rows", "V / |G|²", "step, ms", "V × time / K=1")
    )
    for design in shown:
        name = f"{design['kind']}{', kept statistics' if design['norm'] == 'kept' else ''}"
        seconds = f"{design['time_s'] * 1e3:.1f}" if "time_s" in design else ""
        price = interval(design["variance_time_to_one"]) if "variance_time_to_one" in design else ""
        table.add_row(name, f"{design['num_pairs']}", f"{design['rows']}", interval(design["relative"]), seconds, price)
    clip = moment["clipped"]
    table.add_row(
        f"clipped to norm {clip['clip_norm']:.3g}", f"{first['num_pairs']}", f"{first['rows']}",
        interval(clip["relative"]), f"{first['time_s'] * 1e3:.1f}", "",
    )  # fmt: skip
    return table


def _checks(moment: Json) -> Table | None:
    """Designs predicted from the parts, beside what was measured."""
    if "checks" not in moment["parts"]:
        return None
    heads = ("predicted", "measured", "measured / predicted", "predicted if pairs were independent")
    table = _table("V from its parts, i.i.d. coefficients", ("batch", "drawn"), heads)
    for check in moment["parts"]["checks"]:
        kind = check["kind"].replace("K", str(check["num_mixes"]))
        ratio = check["measured"]["value"] / check["predicted"]
        cells = (number(check["predicted"]), interval(check["measured"]), f"{ratio:.2f}")
        table.add_row(kind, drawn(check), *cells, number(check["predicted_if_independent"]))
    return table


def _about_cost(moment: Json) -> str:
    cost, best = moment["cost"], moment["best"]
    theory = "unbounded" if best["iid_theory"] is None else f"{best['iid_theory']:.2g}"
    return (
        f"A step takes {cost['step_s'] * 1e3:.2g} ms + {cost['pair_s'] * 1e6:.2g} µs per pair + "
        f"{cost['mix_s'] * 1e6:.2g} µs per mix (fitted to {cost['error']:.0%}). Least V × time: K = "
        f"{best['same_pairs']} from as many pairs, {best['same_rows']} from P/K; for i.i.d. λ theory has {theory}."
    )


def _about_parts(parts: Json) -> Sequence[str]:
    if "none_because" in parts:
        return [f"No parts A, B, C: {parts['none_because']}."]
    named = ", ".join(f"{name} {interval(parts[name])}" for name in ("A", "A_eff", "B", "C", "C_eff"))
    norm = " (batch norm with its kept statistics)" if parts["norm"] == "kept" else ""
    return [f"Parts{norm}: {named}."]


def _table(title: str, left: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title=title, title_justify="left")
    for head in left:
        table.add_column(head, no_wrap=True)
    for head in right:
        table.add_column(head, justify="right")
    return table


def interval(estimate: Json) -> str:
    """Return `value [low, high]`."""
    return f"{number(estimate['value'])} [{number(estimate['low'])}, {number(estimate['high'])}]"


def number(value: float | None) -> str:
    """Return three digits of a number; ? where it is not known."""
    if value is None:
        return "?"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.2e}"
