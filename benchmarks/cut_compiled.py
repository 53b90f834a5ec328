"""What Puzzle Mix's Triton kernels become on a GPU: registers, spills and shared memory of every variant.

    python -m benchmarks.cut_compiled [--grids 2,4,8,16] [--architectures 80,90]

Compiles ahead of time; no GPU is needed. It must run in a process without TRITON_INTERPRET. Ends with an error if a
variant spills.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from benchmarks.timing import table
from multimix.kernels.triton.auction import auction
from multimix.kernels.triton.borders import fold_pairs
from multimix.kernels.triton.cut import lanes_of
from multimix.kernels.triton.pooling import pool_images, pool_saliency
from multimix.kernels.triton.prove import prove
from multimix.kernels.triton.repair import repair

ADDRESSES = {  # what each kernel reads and writes, in float32 unless the variant says otherwise
    prove: {"gain": "*fp32", "spread": "*fp64", "right": "*fp32", "down": "*fp32", "thresholds": "*fp64"},
    repair: {},
    pool_saliency: {"saliency": "*fp32", "share": "*fp32"},
    pool_images: {"x": "*fp32", "means": "*fp32", "ranges": "*fp32"},
    fold_pairs: dict.fromkeys(("share", "cells", "ranges", "gain", "right", "down"), "*fp32"),
    auction: {"saliency": "*fp32", "down": "*i32", "right": "*i32", "price": "*fp32", "best": "*i64", "source": "*i32"},
}
SHARED = {"kept": "*u8", "steps": "*i32", "sweeps": "*i32", "sample": "*i64", "partner": "*i64"}
SHARED |= dict.fromkeys(("amounts", "weights", "limits", "flows"), "*i64")
SHARED |= dict.fromkeys(("most_momentum", "strength", "strength_rest", "amount", "amount_rest"), "fp32")


class Variant(NamedTuple):
    """One kernel, compiled for one kind of call."""

    kernel: Any
    name: str
    constants: dict[str, object]
    warps: int
    kinds: dict[str, str] = {}  # noqa: RUF012  # of addresses, where they are not the usual ones


def variants(grids: list[int]) -> Iterator[Variant]:
    """Every kernel, at every grid."""
    for grid in grids:
        blocks, lanes, name = grid * grid, lanes_of(grid * grid), f"{grid} × {grid}"
        for levels in (2, 3):
            shape = {"HEIGHT": grid, "WIDTH": grid, "LANES": lanes, "LAYERS": levels - 1}
            for kernel in (prove, repair):
                yield Variant(kernel, f"{name}, {levels} levels", shape, lanes // 32)
        yield Variant(auction, name, {"LANES": lanes}, lanes // 32)
        yield from sums_over_cells(name, blocks)


def sums_over_cells(name: str, blocks: int) -> Iterator[Variant]:
    """From pixels to energies, on as many cells as blocks, in every type that is computed in another way."""
    cells = {"CELLS": blocks, "SUB": 1024 // blocks}
    borders = {"OWN": False, "CONTENTS": True, "BLOCKS": blocks, "SUB": 512 // blocks, "PARTS": 1024}
    for kind in ("fp32", "bf16", "fp64"):
        wide = "*fp64" if kind == "fp64" else "*fp32"
        pixels = {"saliency": f"*{kind}", "share": wide, "x": f"*{kind}", "means": wide, "ranges": wide}
        yield Variant(pool_saliency, f"{name}, {kind}", {"EVEN": False, **cells}, 8, pixels)
        yield Variant(pool_images, f"{name}, {kind}", cells, 8, pixels)
    for kind in ("fp32", "fp64"):
        numbers = dict.fromkeys(ADDRESSES[fold_pairs], f"*{kind}")
        yield Variant(fold_pairs, f"{name}, {kind}", borders, 8, numbers)


def compile_ahead(variant: Variant, architecture: int) -> dict[str, object]:
    """One variant, as a row of the table."""
    kernel, constants = variant.kernel, variant.constants
    known = SHARED | ADDRESSES[kernel] | variant.kinds | dict.fromkeys(constants, "constexpr")
    signature = {name: known.get(name, "i32") for name in kernel.arg_names}
    target = GPUTarget("cuda", architecture, 32)
    code = triton.compile(ASTSource(kernel, signature, constants), target, options={"num_warps": variant.warps})
    report = assemble(code.asm["ptx"], architecture)
    return {
        "kernel": kernel.fn.__name__,
        "variant": variant.name,
        "sm": architecture,
        "warps": variant.warps,
        "registers": max(map(int, re.findall(r"Used (\d+) registers", report))),
        "spilled bytes": sum(map(int, re.findall(r"(\d+) bytes spill", report))),
        "shared bytes": code.metadata.shared,
    }


def assemble(ptx: str, architecture: int) -> str:
    """What ptxas says of a kernel."""
    ptxas = Path(triton.__file__).parent / "backends/nvidia/bin/ptxas"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "kernel.ptx")
        file.write_text(ptx)
        name = f"sm_{architecture}{'a' if architecture >= 90 else ''}"
        command = [str(ptxas), "-v", f"-arch={name}", str(file), "-o", str(file.with_suffix(".cubin"))]
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grids", default="2,4,8,16")
    parser.add_argument("--architectures", default="80,90")
    given = parser.parse_args()
    grids, architectures = (list(map(int, text.split(","))) for text in (given.grids, given.architectures))
    rows = [compile_ahead(variant, architecture) for architecture in architectures for variant in variants(grids)]
    rows.sort(key=lambda row: str(row["kernel"]))
    print(f"Triton {triton.__version__}\n\n{table(rows)}")
    if any(row["spilled bytes"] for row in rows):
        sys.exit("a variant must not spill; see the table")


if __name__ == "__main__":
    main()
