"""Does mixing work here, and how fast? Every method, on every device.

Times are in copies of the output, a unit that says the same on every machine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

import torch
from torch import Tensor
from torch.utils.benchmark import Timer

from multimix import MultiMix, Plan
from multimix.lab.about.methods import Layers
from multimix.methods import METHODS

NUM_MIXES = 5
CLASSES = 4
SPATIAL = (16, 16)
PAIRS = 24
SEED = 0
SHAPE = (128, 3, 32, 32)  # of a batch that is timed
BUDGET_S = 0.15  # for each of the three times
PLANS = 8  # plans that are applied in turn: some methods draw how fine their blocks are
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


@dataclass(frozen=True)
class Speed:
    """Times of mixing K = 5 of 128 images of 3 x 32 x 32 into a buffer.

    Args:
        copy_ms: Of `copy_` of the output.
        mixing: Of applying a plan, in copies.
        whole: Of drawing it (without the gradient of a model) and applying it, in copies.
    """

    copy_ms: float
    mixing: float
    whole: float


def mixing_speed(method: str, device: torch.device) -> Speed:
    """Return how fast a method mixes on a device, on one core of a CPU; what mixes inside a model, at the input."""
    x = torch.rand(SHAPE).to(device)
    saliency = torch.rand(SHAPE[0], *SHAPE[2:]).to(device) if METHODS[method].asks_model else None
    y = torch.zeros(len(x), dtype=torch.int64, device=device)
    mix = MultiMix(method, num_mixes=NUM_MIXES, num_classes=2)
    generator = torch.Generator().manual_seed(0)

    def draw() -> Plan:
        return mix.plan(x, y, model=Layers(), saliency=saliency, generator=generator)

    plans = cycle([draw() for _ in range(PLANS)])
    out = torch.zeros(NUM_MIXES * len(x), *x.shape[1:], device=device)
    source = torch.rand_like(out)
    rows = next(plans).num_mixes * len(x)
    copy_s = _median_s(lambda: out.copy_(source), device)
    mixing_s = _median_s(lambda: mix.apply(next(plans), x, out=out[:rows]), device)
    whole_s = _median_s(lambda: mix.apply(draw(), x, out=out[:rows]), device)
    return Speed(copy_s * 1e3, mixing_s / copy_s, whole_s / copy_s)


def _median_s(call: Callable[[], object], device: torch.device) -> float:
    """Return the median seconds of a call, on one core: two threads on a busy core would wait for each other."""

    def finished() -> None:
        call()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)

    timer = Timer("finished()", globals={"finished": finished}, num_threads=1)
    return float(timer.blocked_autorange(min_run_time=BUDGET_S).median)
