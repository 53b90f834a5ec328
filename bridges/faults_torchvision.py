"""What torchvision's CutMix and MixUp do and do not: `python -m bridges.faults_torchvision`."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from bridges.stand_in import stand_in_for_operators

stand_in_for_operators()

import torchvision  # noqa: E402
from torchvision.transforms import v2  # noqa: E402


def main() -> None:
    print(f"torchvision {torchvision.__version__}, v2.CutMix and v2.MixUp")
    torch.manual_seed(0)
    y = torch.arange(8)
    x = F.one_hot(y, 8).float()[:, :, None, None].expand(8, 8, 16, 16).contiguous()

    _, soft = v2.MixUp(num_classes=8)(x, y)
    print(f"different coefficients in a batch of 8: {len(soft.amax(1).unique())}")
    partners = {v2.MixUp(num_classes=8)(x, y)[1][1].ne(0).nonzero().flatten().tolist()[0] for _ in range(20)}
    print(f"partners of sample 1 in 20 batches: {sorted(partners)}")
    print(f"regression targets (8,): {attempt(lambda: v2.MixUp()(x, y.float()))}")
    print(f"maps (8, 16, 16) as targets: {attempt(lambda: v2.CutMix()(x, torch.rand(8, 16, 16)))}")
    print(f"series (8, 8, 16): {attempt(lambda: v2.MixUp(num_classes=8)(x[..., 0], y))}")
    volumes = x[:, :, None].expand(-1, -1, 4, -1, -1)
    print(f"volumes (8, 8, 4, 16, 16): {attempt(lambda: v2.MixUp(num_classes=8)(volumes, y))}")
    print(f"MixUp of bytes: {attempt(lambda: v2.MixUp(num_classes=8)((x * 255).to(torch.uint8), y))}")
    for mix in (v2.MixUp(num_classes=8), v2.CutMix(num_classes=8)):
        step = torch.compile(mix, fullgraph=True, backend="eager")
        outcome = attempt(lambda step=step: step(x, y)).split(":")[0]
        print(f"{type(mix).__name__}, torch.compile(fullgraph=True): {outcome}")


def attempt(call: Callable[[], object]) -> str:
    """`works`, or the error's type and where its message begins."""
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
    return "works"


if __name__ == "__main__":
    main()
