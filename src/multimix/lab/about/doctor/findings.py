"""Everything in order, and what is wrong in a line each."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import torch

from multimix.kernels.family import chosen
from multimix.lab.about.doctor.machine import (
    Package,
    data_cache,
    device_kernels,
    device_name,
    devices,
    machine,
    packages,
    puzzle_solver,
    used_kernels,
    versions,
)
from multimix.lab.about.doctor.selftest import Check, Speed, checks, mixing_speed
from multimix.lab.core.progress_bar import Advance
from multimix.methods import METHODS


@dataclass(frozen=True)
class Tried:
    """A method on a device.

    Args:
        method: Its name.
        device: The device.
        checks: What was tried.
        speed: How fast it mixes; None where something is wrong with it.
    """

    method: str
    device: str
    checks: list[Check]
    speed: Speed | None


@dataclass(frozen=True)
class Installation:
    """What there is to tell at once."""

    versions: dict[str, str]
    packages: list[Package]
    machine: dict[str, Any]


@dataclass(frozen=True)
class Findings(Installation):
    """What there is to tell of a machine."""

    devices: dict[str, str]
    device_kernels: dict[str, str]
    puzzle_solvers: dict[str, str]
    kernel_family: str
    kernels: list[dict[str, Any]]
    data_cache: dict[str, Any]
    tried: list[Tried]
    wrong: list[str]


def installation() -> Installation:
    """Look at what is there."""
    return Installation(versions(), packages(), machine())


def examine(installed: Installation, advance: Advance = lambda what, share: None) -> Findings:
    """Look at everything, and try every method on every device: some ten seconds.

    Args:
        installed: What was seen at once.
        advance: Told what is tried, and which share of the whole has just been done.
    """
    found = devices()
    tried = []
    for device, method in product(found, METHODS):
        advance(f"{method} on {device}", 0)
        tried.append(_try(method, device))
        advance(f"{method} on {device}", 1 / (len(found) * len(METHODS)))
    cache = data_cache()
    family, wrong_family = _kernel_family()
    wrong_cache = [
        f"decoded samples must be kept in a folder that can be written, got {cache['folder']}; set MULTIMIX_CACHE to "
        "another one, or to off"
    ] * (not cache["writable"])
    return Findings(
        **vars(installed),
        devices={str(device): device_name(device) for device in found},
        device_kernels={str(device): device_kernels(device) for device in found},
        puzzle_solvers={str(device): puzzle_solver(device) for device in found},
        kernel_family=family,
        kernels=used_kernels(),
        data_cache=cache,
        tried=tried,
        wrong=[*wrong_family, *_wrong_packages(installed.packages), *wrong_cache, *_wrong_checks(tried)],
    )


def _try(method: str, device: torch.device) -> Tried:
    found = checks(method, device)
    works = not any(check.wrong for check in found)
    return Tried(method, str(device), found, mixing_speed(method, device) if works else None)


def _kernel_family() -> tuple[str, list[str]]:
    """Return the family of kernels, and what is wrong with the one that was asked for."""
    try:
        return chosen(), []
    except ValueError as error:
        return "unknown", [str(error)]


def _wrong_packages(asked: list[Package]) -> list[str]:
    return [
        f"{package.name} must be {package.asked or 'there'}, got {package.version}; "
        f"pip install '{package.name}{package.asked}'"
        for package in asked
        if not package.fits
    ]


def _wrong_checks(tried: list[Tried]) -> list[str]:
    found = [check for item in tried for check in item.checks if check.wrong]
    return [f"{check.method} on {check.device}: {check.what} does not hold: {check.wrong}" for check in found]
