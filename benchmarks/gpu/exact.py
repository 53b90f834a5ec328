"""Is what a GPU mixes what the CPU mixes, and are the promises kept that only a GPU can show?"""

from collections.abc import Iterator

from benchmarks.gpu import agreement, large, promises, solver, warm
from benchmarks.gpu.setting import Rows, Setting


def measure(setting: Setting) -> Iterator[tuple[str, Rows]]:
    """Tables; an error at the end if something does not hold."""
    broken = []
    compiling = warm.start(setting)
    for title, ask in (  # what takes long and may be left away comes last
        ("labels that are no class", promises.strange_labels),
        ("more than 2³¹ numbers", large.large_outputs),
        ("a second device", large.second_device),
        ("Puzzle Mix's masks beside the CPU's solver, the same energies", solver.masks),
        ("the host does not wait", promises.no_wait),
        ("launches of a step, beside the profiler's count", promises.launches),
        ("every method beside the CPU, the same plan", agreement.methods),
    ):
        try:
            rows = ask(setting)
        finally:
            while compiling:  # the next ones take these kernels, and no other part shall be disturbed
                compiling.pop().wait()
        yield title, rows
        broken += [f"{title}: {row}" for row in rows if str(row["holds"]).startswith("NO")]
    if broken:
        raise AssertionError("what must hold does not:\n" + "\n".join(broken))
