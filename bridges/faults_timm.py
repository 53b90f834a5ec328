"""What timm's Mixup does to batches it was not made for: `python -m bridges.faults_timm`."""

import numpy as np
import torch
import torch.nn.functional as F

from bridges.stand_in import stand_in_for_operators

stand_in_for_operators()

import timm  # noqa: E402
from timm.data import Mixup  # noqa: E402

PLAIN = {"label_smoothing": 0.0, "num_classes": 4}


def main() -> None:
    print(f"timm {timm.__version__}, timm.data.Mixup")
    np.random.seed(0)  # noqa: NPY002
    y = torch.arange(8) % 4
    x = F.one_hot(y, 4).float()[:, :, None, None].expand(8, 4, 16, 16).contiguous()  # its mean colour is its label

    _, soft = Mixup(num_classes=10)(x.clone(), F.one_hot(torch.arange(8), 10))
    print(f"one-hot targets of shape (8, 10): come back as {tuple(soft.shape)}")

    given = x.clone()
    returned, _ = Mixup(**PLAIN)(given, y)
    print(f"its input after the call: changed={not torch.equal(given, x)}, the same memory={returned is given}")

    try:
        Mixup(**PLAIN)(x[:7].clone(), y[:7])
    except AssertionError as error:
        print(f"a batch of 7: AssertionError: {error}")

    same = []
    for _ in range(2):
        torch.manual_seed(0)
        same.append(Mixup(**PLAIN)(x.clone(), y)[1])
    print(f"twice after torch.manual_seed(0): equal={torch.equal(*same)}")

    cutmix = Mixup(0.0, 1.0, mode="elem", **PLAIN)
    print(f"videos (8, 4, 4, 16, 16), {cut_error(cutmix, x[:, :, None].expand(-1, -1, 4, -1, -1).contiguous(), y)}")
    print(f"images as bytes, {cut_error(cutmix, (x * 255).to(torch.uint8), y)}")


def cut_error(cutmix: Mixup, x: torch.Tensor, y: torch.Tensor) -> str:
    """How far labels are from the share of pixels that show them."""
    errors = []
    for _ in range(50):
        mixed, soft = cutmix(x.clone(), y)
        shown = mixed.double().flatten(2).mean(2) / float(x.max())
        errors.append((shown - soft).abs().amax(1))
    worst = torch.stack(errors).flatten()
    return f"CutMix: labels off by {worst.mean():.2f} on average, by {worst.max():.2f} at most"


if __name__ == "__main__":
    main()
