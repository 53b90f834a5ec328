"""The findings on the terminal."""

from collections.abc import Iterable

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from multimix.lab.about.doctor.findings import Findings, Installation
from multimix.lab.about.doctor.machine import ABSENT, Package
from multimix.lab.about.doctor.selftest import NUM_MIXES, SHAPE

WIDEST = 120  # columns; longer lines are hard to read


def print_installation(found: Installation, console: Console) -> None:
    """Print what is known at once; the rest of the same table comes with the findings."""
    console.print(_installed(found), width=min(console.width, WIDEST))


def print_findings(found: Findings, console: Console) -> None:
    """Print what was found, and last what is wrong."""
    console.print(screen(found), width=min(console.width, WIDEST))


def screen(found: Findings) -> RenderableType:
    """Return what is to be seen."""
    verdict = Text("All is well.", "green")
    if found.wrong:
        verdict = Text(f"{len(found.wrong)} thing(s) wrong:", "bold red")
    parts: list[RenderableType] = [_facts(found), *[_tried(device, found) for device in found.devices], verdict]
    return Group(*[item for part in parts for item in (part, Text(""))][:-1])


def _grid(found: Installation) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    labels = ["data cache", *(f"[{package.extra}]" for package in found.packages)]
    table.add_column(style="bold", no_wrap=True, min_width=max(map(len, labels)))
    table.add_column()
    return table


def _installed(found: Installation) -> Table:
    table = _grid(found)
    table.add_row("versions", Text(", ".join(f"{name} {version}" for name, version in found.versions.items())))
    others = [package for package in found.packages if not package.fits or package.name not in found.versions]
    for extra in dict.fromkeys(package.extra for package in others):
        table.add_row(Text(f"[{extra}]" if extra else "library"), _packages(p for p in others if p.extra == extra))
    if not found.packages:
        table.add_row("packages", "unknown: multimix is not installed, this is a checkout")
    machine = found.machine
    threads = f"{machine['threads']} thread(s) of PyTorch and of the kernels"
    limit = f", OMP_NUM_THREADS={machine['OMP_NUM_THREADS']}" if machine["OMP_NUM_THREADS"] else ""
    table.add_row("system", f"{machine['system']}, {machine['instructions']}")
    table.add_row("cores", f"{machine['usable_cores']} of {machine['cores']} may be used; {threads}{limit}")
    return table


def _facts(found: Findings) -> Table:
    table = _grid(found)
    for device, name in found.devices.items():
        kernels, solver = found.device_kernels[device], found.puzzle_solvers[device]
        table.add_row(device, Text(f"{name}; kernels: {kernels}; masks of Puzzle Mix: {solver}", overflow="fold"))
    table.add_row("kernels", Text(_kernels(found), overflow="fold"))
    table.add_row("data cache", Text(_data_cache(found), overflow="fold"))
    return table


def _packages(packages: Iterable[Package]) -> Text:
    said = Text()
    for number, package in enumerate(packages):
        style = "bold red" if not package.fits else "dim" if package.version == ABSENT else ""
        said.append(", " if number else "").append(f"{package.name} {package.version}", style)
    return said


def _kernels(found: Findings) -> str:
    family = f"MULTIMIX_KERNELS={found.kernel_family}: "
    if not found.kernels:
        return f"{family}none ran"
    names = ", ".join(str(kernel["name"]) for kernel in found.kernels)
    folders = sorted({str(kernel["folder"]) for kernel in found.kernels if kernel["folder"]})
    unkept = [kernel for kernel in found.kernels if not kernel["folder"]]
    where = f"kept in {', '.join(folders)}" if folders else ""
    again = f"{len(unkept)} of them made afresh by every process: no folder can be written" if unkept else ""
    return f"{family}{names}; {'; '.join(filter(None, (where, again)))}"


def _data_cache(found: Findings) -> str:
    cache = found.data_cache
    if cache["folder"] is None:
        return "off (MULTIMIX_CACHE)"
    return f"{cache['folder']}, {cache['bytes'] / 2**20:.1f} MiB" + ("" if cache["writable"] else ", cannot be written")


def _tried(device: str, found: Findings) -> Table:
    rows = [item for item in found.tried if item.device == device]
    shape = " x ".join(map(str, SHAPE))
    copy = next((f", {item.speed.copy_ms:.2f} ms" for item in rows if item.speed), "")
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        title=f"Self-test on {device}: K = {NUM_MIXES} of {shape}; 1.00 = copying the output{copy}",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("method")
    for check in rows[0].checks:
        table.add_column(check.what)
    table.add_column("mixing", justify="right")
    table.add_column("with drawing", justify="right")
    for item in rows:
        marks = [Text("wrong", "bold red") if check.wrong else Text("yes", "green") for check in item.checks]
        speed = () if item.speed is None else (f"{item.speed.mixing:.2f}", f"{item.speed.whole:.2f}")
        table.add_row(item.method, *marks, *speed)
    return table
