"""What fastai's MixUp and CutMix do: `python -m bridges.faults_fastai`."""

import torch
import torch.nn.functional as F

from bridges.stand_in import stand_in_for_operators

stand_in_for_operators()

import fastai  # noqa: E402
from fastai.callback.core import Callback  # noqa: E402
from fastai.callback.mixup import CutMix, MixUp  # noqa: E402
from fastai.callback.progress import ProgressCallback  # noqa: E402, F401  # brings no_bar
from fastai.data.core import DataLoaders  # noqa: E402
from fastai.data.load import DataLoader  # noqa: E402
from fastai.learner import Learner  # noqa: E402
from fastai.losses import CrossEntropyLossFlat  # noqa: E402


def main() -> None:
    print(f"fastai {fastai.__version__}, MixUp and CutMix")
    torch.manual_seed(0)
    for mix in (MixUp(1.0), CutMix(1.0)):
        shown = Shown()
        fit(mix, shown, num_samples=800, batch_size=8)
        print(
            f"{type(mix).__name__}: weights of labels off by {max(shown.errors):.2f} at most, smallest weight of the "
            f"sample itself {min(shown.weights):.2f}, different coefficients in a batch of 8: {max(shown.different)}"
        )
    for shape in ((3, 8, 8, 8), (3, 12)):
        print(f"MixUp, samples of shape {shape}: {attempt(MixUp(), 2, 2, shape)}")
        print(f"CutMix, samples of shape {shape}: {attempt(CutMix(), 2, 2, shape)}")
    print(f"MixUp, a batch of one sample: {attempt(MixUp(), 1, 1, (3, 8, 8))}")


class Shown(Callback):
    """Looks at mixed batches of images whose mean colour is their label."""

    order, run_valid = 1, False

    def __init__(self) -> None:
        self.errors, self.weights, self.different = [], [], []

    def before_batch(self) -> None:
        mixer = next(cb for cb in self.learn.cbs if hasattr(cb, "lam"))
        lam = torch.as_tensor(mixer.lam).expand(len(self.y))[:, None]
        soft = lam * F.one_hot(self.y, 4) + (1 - lam) * F.one_hot(mixer.yb1[0], 4)
        self.errors.append(float((self.x.flatten(2).mean(2) - soft).abs().max()))
        self.weights.append(float(lam.min()))
        self.different.append(len(lam.unique()))


def fit(*callbacks: Callback, num_samples: int, batch_size: int, shape: tuple[int, ...] = (4, 8, 8)) -> None:
    y = torch.arange(num_samples) % 4
    x = torch.rand(num_samples, *shape)
    if shape[0] == 4:
        x = F.one_hot(y, 4).float().reshape(num_samples, 4, *[1] * (len(shape) - 1)).expand(num_samples, *shape)
    data = [(x[i].clone(), y[i]) for i in range(num_samples)]
    loaders = DataLoaders(DataLoader(data, bs=batch_size), DataLoader(data, bs=batch_size))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(4))
    model(x[:1])
    learn = Learner(loaders, model, loss_func=CrossEntropyLossFlat(), cbs=callbacks)
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 0.0)


def attempt(mix: Callback, num_samples: int, batch_size: int, shape: tuple[int, ...]) -> str:
    """`works`, or the error's type and the last line of its message."""
    try:
        fit(mix, num_samples=num_samples, batch_size=batch_size, shape=shape)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[-1].strip()}"
    return "works"


if __name__ == "__main__":
    main()
