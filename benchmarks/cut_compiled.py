"""What the Triton kernels become on a GPU: registers, spills and shared memory of every variant.

    python -m benchmarks.cut_compiled [--grids 2,4,8,16] [--architectures 80,90]

Compiles ahead of time; no GPU is needed. It must run in a process without TRITON_INTERPRET.
"""

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from benchmarks.timing import table
from multimix.kernels.triton.cut import lanes_of
from multimix.kernels.triton.prove import prove
from multimix.kernels.triton.repair import repair

SCRATCH = {"amounts": "*i64", "weights": "*i64", "limits": "*i64", "flows": "*i64", "steps": "*i32"}
COUNTS = {"num_mixes": "i32", "pairs": "i32"}
SHAPE = dict.fromkeys(("HEIGHT", "WIDTH", "LANES", "LAYERS"), "constexpr")
SIGNATURES = {
    prove: {
        **{"gain": "*fp32", "spread": "*fp64", "right": "*fp32", "down": "*fp32", "thresholds": "*fp64"},
        **{"kept": "*u8", **SCRATCH, **COUNTS, "most_steps": "i32", "most_momentum": "fp32", **SHAPE},
    },
    repair: {"kept": "*u8", **SCRATCH, "sweeps": "*i32", **COUNTS, **SHAPE},
}


def compile_ahead(kernel: object, grid: int, levels: int, architecture: int) -> dict[str, object]:
    """One variant, as a row of the table."""
    lanes = lanes_of(grid * grid)
    constants: dict[str, object] = {"HEIGHT": grid, "WIDTH": grid, "LANES": lanes, "LAYERS": levels - 1}
    target = GPUTarget("cuda", architecture, 32)
    code = triton.compile(ASTSource(kernel, SIGNATURES[kernel], constants), target, options={"num_warps": lanes // 32})
    report = assemble(code.asm["ptx"], architecture)
    return {
        "kernel": kernel.fn.__name__,  # type: ignore[attr-defined]
        "levels": levels,
        "grid": f"{grid} × {grid}",
        "sm": architecture,
        "warps": lanes // 32,
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
    rows = [
        compile_ahead(kernel, grid, levels, architecture)
        for kernel in (prove, repair)
        for levels in (2, 3)
        for architecture in architectures
        for grid in grids
    ]
    print(f"Triton {triton.__version__}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
