"""Which packages are here, and are they those that multimix asks for?"""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires

from multimix import __version__
from multimix.lab.core.machine import installed

ABSENT = "not installed"


@dataclass(frozen=True)
class Package:
    """A package that multimix asks for.

    Args:
        name: Of the distribution.
        asked: The versions that will do.
        version: The one that is here, or ABSENT.
        extra: The extra that brings it; empty for what the library itself needs.
        fits: Whether the version will do; absent ones of an extra will, and any Triton.
    """

    name: str
    asked: str
    version: str
    extra: str
    fits: bool


def versions() -> dict[str, str]:
    """Return what everything is made of."""
    return {"multimix": __version__, "python": platform.python_version()} | {
        name: installed(name) for name in ("torch", "numpy", "numba")
    }


def packages() -> list[Package]:
    """Return all packages that multimix's metadata name; none where it was never installed."""
    try:
        return [package for line in requires("multimix") or [] if (package := _package(line)) is not None]
    except PackageNotFoundError:
        return []


def _package(line: str) -> Package | None:
    from packaging.requirements import Requirement

    requirement = Requirement(line)
    extra = "" if requirement.marker is None else _extra(str(requirement.marker))
    if requirement.name == "multimix":  # an extra that brings another one
        return None
    version = installed(requirement.name)
    if version == ABSENT:
        fits = extra != ""
    else:  # PyTorch brings the Triton that it needs; where that is too old, the kernels' own line says so
        fits = extra == "gpu" or requirement.specifier.contains(version, prereleases=True)
    return Package(requirement.name, str(requirement.specifier), version, extra, fits)


def _extra(marker: str) -> str:
    """Return the extra in a marker such as `extra == "lab"`."""
    return marker.rpartition("extra ==")[2].strip(" \"'")
