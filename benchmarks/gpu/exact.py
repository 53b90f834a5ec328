"""Is what a GPU mixes what the CPU mixes, and are the promises kept that only a GPU can show?"""

from collections.abc import Callable, Iterator, Mapping

from benchmarks.gpu import agreement, large, promises, solver, warm
from benchmarks.gpu.setting import Rows, Setting

Questions = Mapping[str, Callable[[Setting], Rows]]
FIRST: Questions = {
    "labels that are no class": promises.strange_labels,
    "more than 2³¹ numbers": large.large_outputs,
    "a second device": large.second_device,
}
OF_PUZZLE_MIX: Questions = {  # too; what takes long and may be left away comes last
    "Puzzle Mix's masks beside the CPU's solver, the same energies": solver.masks,
    "the host does not wait": promises.no_wait,
    "a captured step, replayed with new plans": promises.replays,
    "launches of a step, beside the profiler's count": promises.launches,
    "every method beside the CPU, the same plan": agreement.methods,
}


def measure(setting: Setting) -> Iterator[tuple[str, Rows]]:
    """Tables; an error at the end if something does not hold."""
    broken: list[str] = []
    compiling = warm.start(setting)
    try:
        yield from _asked(FIRST, setting, broken)
    finally:  # the next ones take these kernels, and no other part shall be disturbed
        for process in compiling:
            process.wait()
    yield from _asked(OF_PUZZLE_MIX, setting, broken)
    if broken:
        raise AssertionError("what must hold does not:\n" + "\n".join(broken))


def _asked(questions: Questions, setting: Setting, broken: list[str]) -> Iterator[tuple[str, Rows]]:
    for title, ask in questions.items():
        rows = ask(setting)
        yield title, rows
        broken += [f"{title}: {row}" for row in rows if str(row["holds"]).startswith("NO")]
