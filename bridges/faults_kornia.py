"""What kornia's RandomCutMixV2 returns as labels: `python -m bridges.faults_kornia`."""

import warnings

import kornia
import torch
import torch.nn.functional as F
from kornia.augmentation import RandomCutMixV2, RandomMixUpV2


def main() -> None:
    print(f"kornia {kornia.__version__}, RandomCutMixV2 and RandomMixUpV2")
    torch.manual_seed(0)
    keys = {"data_keys": ["input", "class"]}
    y = torch.arange(8)
    x = F.one_hot(y, 8).float()[:, :, None, None].expand(8, 8, 16, 16).contiguous()  # its mean colour is its label

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        default = RandomCutMixV2(**keys)
    print(f"building RandomCutMixV2(): {sorted({w.category.__name__ for w in caught})}")
    correct = RandomCutMixV2(use_correct_lambda=True, **keys)
    several = RandomCutMixV2(use_correct_lambda=True, num_mix=3, **keys)
    for name, mix in {"default": default, "use_correct_lambda=True": correct}.items():
        errors = torch.stack([label_error(mix, x, y) for _ in range(50)])
        print(f"{name}: lam * own + (1 - lam) * partner's label is off by {errors.mean():.2f} on average")
    images, labels = several(x, y)
    kept = images.mean((2, 3))[y, y]
    print(f"num_mix=3 gives {len(images)} images; the share of its own pixels an image keeps, and lam of its boxes:")
    for i in range(3):
        print(f"  {kept[i]:.2f}: {', '.join(f'{v:.2f}' for v in labels[:, i, 2])}")
    own = sum(int((correct(x, y)[1][0, :, 0] == correct(x, y)[1][0, :, 1]).sum()) for _ in range(50))
    print(f"rows of 400 whose partner is the sample itself: {own}")
    mixed, labels = RandomMixUpV2(**keys)(x, y)
    print(f"labels of RandomMixUpV2: {tuple(labels.shape)}, {labels.dtype}: (label, partner's label, lam)")
    soft = (1 - labels[:, 2:]) * one_hot(labels[:, 0]) + labels[:, 2:] * one_hot(labels[:, 1])
    error = (mixed.mean((2, 3)) - soft).abs().max()
    print(f"RandomMixUpV2: (1 - lam) * own + lam * partner's label is off by {error:.2f}")


def one_hot(labels: torch.Tensor) -> torch.Tensor:
    return F.one_hot(labels.long(), 8).float()


def label_error(cutmix: RandomCutMixV2, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """How far `lam * own + (1 - lam) * partner's label` is from the share of pixels that show it, row by row."""
    images, labels = cutmix(x, y)
    own, partner, lam = labels[0].T
    soft = lam[:, None] * one_hot(own) + (1 - lam[:, None]) * one_hot(partner)
    return (images.mean((2, 3)) - soft).abs().amax(1)


if __name__ == "__main__":
    main()
