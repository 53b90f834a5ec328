"""What the Triton kernels that mix a batch become on a GPU: registers, spills and shared memory of every variant.

    python -m benchmarks.mix_compiled [--architectures 80,90]

Compiles ahead of time; no GPU is needed. It must run in a process without TRITON_INTERPRET. Ends with an error if a
variant spills.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from benchmarks.cut_compiled import assemble
from benchmarks.timing import table
from multimix.kernels.triton.bumps import BLOCK as BUMPS_BLOCK
from multimix.kernels.triton.bumps import HALVINGS, fill_bumps, weigh_bumps
from multimix.kernels.triton.labels import soften_rows
from multimix.kernels.triton.levels import levels
from multimix.kernels.triton.mix import BUMP, mix
from multimix.kernels.triton.peaks import peak_boxes
from multimix.kernels.triton.rows import BLOCK, MOVED_BLOCK, MOVED_SPREAD
from multimix.kernels.triton.spread import spread

KINDS = {  # of mask: its number, and the types of what it holds
    "constant": (0, ["*fp32", "*i64", "*i64"]),
    "boxes": (1, ["*i64", "*i64", "*i64"]),
    "ordered": (2, ["*u8", "*i64", "*i64"]),
    "bump": (3, ["*fp32", "*fp32", "*fp32"]),
    "resized": (4, ["*i64", "*i64", "*i64"]),
    "blocks": (5, ["*u8", "*i64", "*i64"]),
    "blocks that move": (5, ["*u8", "*i64", "*i64"]),
}
INDICES = dict.fromkeys(("sample", "partner", "readers", "starts", "goals", "goal_starts", "y"), "*i64")
KNOWN = INDICES | {"source": "*i32", "weight": "*fp32", "unit": "fp32"}
ROWS = ("x", "grad", "out")
AVERAGING = ("constant", "bump", "blocks that move")
WARPS = 4


class Variant(NamedTuple):
    """One kernel, compiled for one kind of call."""

    kernel: Any
    name: str
    types: dict[str, str]
    constants: dict[str, object]


def variants() -> Iterator[Variant]:
    """Every kernel, for every kind of mask and the types of values that are computed in another way."""
    for name, (kind, types) in KINDS.items():
        moved = name == "blocks that move"
        masks = dict(zip(("mask0", "mask1", "mask2"), types, strict=True))
        shape = {"KIND": kind, "AXES": 2 if kind else 0, "BITS": 4, "FRESH": True, "MOVED": moved, "LONG": False}
        known = kind not in (0, BUMP.value)
        shape |= {name: known * size for name, size in (("INNER", 3), ("HEIGHT", 224), ("WIDTH", 224))}
        for values in ("fp32", "bf16", "fp64") if name in AVERAGING else ("i32",):
            wide = {"WIDE": tl.float64 if values == "fp64" else tl.float32}
            own = {"SAMPLED": True, "AVERAGES": name in AVERAGING, "BLOCK": MOVED_BLOCK if moved else BLOCK}
            yield Variant(mix, f"{name}, {values}", masks | dict.fromkeys(ROWS, f"*{values}"), shape | wide | own)
        for values in ("fp32", "bf16"):
            own = {"WIDE": tl.float32, "BLOCK": MOVED_SPREAD if moved else BLOCK}
            yield Variant(spread, f"{name}, {values}", masks | dict.fromkeys(ROWS, f"*{values}"), shape | own)
    for values in ("fp32", "fp64"):
        constants: dict[str, object] = {"SAMPLED": True, "FRESH": True, "BLOCK": 1024}
        yield Variant(soften_rows, values, {"out": f"*{values}"}, constants)
        around: dict[str, object] = {"FRESH": True, "AXES": 2, "INSIDE": True, "BLOCK": 1024}
        wide = {"WIDE": tl.float64 if values == "fp64" else tl.float32}
        boxes = {"saliency": f"*{values}", "side": "*i64", "low": "*i64", "high": "*i64"}
        yield Variant(peak_boxes, values, boxes, around | wide)
    counted = {"values": "*fp32", "falling": "*fp32", "num_kept": "*i64", "level": "*u8", "kept": "*i64"}
    yield Variant(levels, "fp32", counted, {"STEPS": 16, "BLOCK": 1024})
    shaped = {"share": "*fp64", "centre": "*fp64"} | dict.fromkeys(("factor0", "factor1", "factor2", "weight"), "*fp32")
    yield Variant(fill_bumps, "fp32", shaped, {"AXES": 3, "MIXES": 32, "STEPS": HALVINGS, "BLOCK": BUMPS_BLOCK})
    yield Variant(weigh_bumps, "fp32", shaped, {"AXES": 3, "BLOCK": BUMPS_BLOCK})


def compile_ahead(variant: Variant, architecture: int) -> dict[str, object]:
    """One variant, as a row of the table."""
    known = KNOWN | variant.types | dict.fromkeys(variant.constants, "constexpr")
    signature = {name: known.get(name, "i32") for name in variant.kernel.arg_names}
    source = ASTSource(variant.kernel, signature, variant.constants)
    code = triton.compile(source, GPUTarget("cuda", architecture, 32), options={"num_warps": WARPS})
    report = assemble(code.asm["ptx"], architecture)
    return {
        "kernel": variant.kernel.fn.__name__,
        "variant": variant.name,
        "sm": architecture,
        "registers": max(map(int, re.findall(r"Used (\d+) registers", report))),
        "spilled bytes": sum(map(int, re.findall(r"(\d+) bytes spill", report))),
        "shared bytes": code.metadata.shared,
    }


# The release that block sizes were chosen with: none spills. Others may spill a few bytes, which is slower, not wrong.
TUNED = "3.7.1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", default="80,90")
    architectures = map(int, parser.parse_args().architectures.split(","))
    rows = [compile_ahead(variant, architecture) for architecture in architectures for variant in variants()]
    rows.sort(key=lambda row: str(row["kernel"]))
    print(f"Triton {triton.__version__}\n\n{table(rows)}")
    if any(row["spilled bytes"] for row in rows) and triton.__version__ == TUNED:
        sys.exit("a variant must not spill; see the table")


if __name__ == "__main__":
    main()
