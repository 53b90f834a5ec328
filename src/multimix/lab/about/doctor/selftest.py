"""Does mixing work here? Every method, on every device."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from multimix import MultiMix
from multimix.lab.about.method_facts import Layers

NUM_MIXES = 5
CLASSES = 4
SPATIAL = (16, 16)
PAIRS = 24
SEED = 0
CLOSE = 1e-5  # rounding, not an error
ALIKE = 0.99  # of all values, on an accelerator beside the CPU: Puzzle Mix's masks may differ in a block


@dataclass(frozen=True)
class Check:
    """Something that was tried.

    Args:
        what: What should hold.
        method: Of which method.
        device: On which device.
        wrong: What was found instead; empty where it holds.
    """

    what: str
    method: str
    device: str
    wrong: str


def checks(method: str, device: torch.device) -> list[Check]:
    """Return what was found for a method on a device."""
    questions: dict[str, Callable[[str, torch.device], str]] = {"labels follow pixels": _labels_follow_pixels}
    if device.type == "cpu":
        questions["kernels equal PyTorch"] = _kernels_equal_torch
    else:
        questions["equal to the CPU"] = _equal_to_the_cpu
    return [Check(what, method, str(device), _tried(ask, method, device)) for what, ask in questions.items()]


def _tried(ask: Callable[[str, torch.device], str], method: str, device: torch.device) -> str:
    try:
        return ask(method, device)
    except Exception as error:  # a broken installation may raise anything, and all of it is reported
        return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _labels_follow_pixels(method: str, device: torch.device) -> str:
    """Colour planes that show their label: the mean colour of a mix is its label, wherever its pixels come from."""
    y = (torch.arange(PAIRS) % CLASSES).to(device)
    planes = torch.nn.functional.one_hot(y, CLASSES).float()
    x = planes.reshape(PAIRS, CLASSES, 1, 1).expand(-1, -1, *SPATIAL).contiguous()
    x_mix, y_mix = _mixed(method, x, y)
    worst = float((x_mix.mean((2, 3)) - y_mix).abs().max())
    return "" if worst <= CLOSE else f"labels are up to {worst:.2g} away from what the pixels show"


def _kernels_equal_torch(method: str, device: torch.device) -> str:
    """Where a gradient is asked for, PyTorch mixes, elsewhere the compiled kernels do."""
    x, y = _noise()
    compiled, _ = _mixed(method, x, y)
    plain, _ = _mixed(method, x.requires_grad_(), y)
    worst = float((compiled - plain).abs().max().detach())
    return "" if worst <= CLOSE else f"compiled kernels are up to {worst:.2g} away from PyTorch"


def _equal_to_the_cpu(method: str, device: torch.device) -> str:
    x, y = _noise()
    here, _ = _mixed(method, x.to(device), y.to(device))
    there, _ = _mixed(method, x, y)
    alike = float(((here.cpu() - there).abs() <= CLOSE).float().mean())
    return "" if alike >= ALIKE else f"only {alike:.1%} of the values are those of the CPU"


def _noise() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(SEED)
    return torch.rand(PAIRS, 3, *SPATIAL, generator=generator), torch.arange(PAIRS) % CLASSES


def _mixed(method: str, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return a batch mixed by a seed that is always the same."""
    saliency = torch.rand(PAIRS, *SPATIAL, generator=torch.Generator().manual_seed(SEED)).to(x.device)
    mix = MultiMix(method, num_mixes=NUM_MIXES, num_classes=CLASSES)
    return mix.run(Layers(), x, y, saliency=saliency, generator=torch.Generator().manual_seed(SEED))
