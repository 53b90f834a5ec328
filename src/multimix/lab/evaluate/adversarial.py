"""How often is the model wrong on images that were changed a little, to mislead it?

Attacks move every value of an image by at most eps, pixels being numbers in [0, 1], and know the model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from multimix.lab.core.randomness import seed_of
from multimix.lab.data import Data
from multimix.lab.evaluate.evaluator import Evaluator, percent
from multimix.lab.evaluate.samples import pixels_of, spread
from multimix.lab.metrics import evaluation_mode

Classifier = Callable[[Tensor], Tensor]  # pixels in [0, 1], (N, ...), to logits, (N, C)
ROWS = 128  # per gradient: bounds the memory of large models
PGD_STEPS = 20


def fgsm(model: Classifier, pixels: Tensor, labels: Tensor, eps: float) -> Tensor:
    """Return pixels after one step of size eps along the sign of the loss's gradient, within [0, 1].

    Args:
        model: In evaluation mode; its parameters get no gradients.
        pixels: (N, ...), in [0, 1].
        labels: (N,)
        eps: Largest change of a value.

    References:
        Goodfellow et al., 2015, arXiv 1412.6572, section 4.
    """
    return (pixels + eps * _gradient_sign(model, pixels, labels)).clamp(0, 1)


def pgd(
    model: Classifier,
    pixels: Tensor,
    labels: Tensor,
    eps: float,
    step: float,
    generator: torch.Generator,
    num_steps: int = PGD_STEPS,
) -> Tensor:
    """Return pixels after many small steps along the sign of the gradient, from a random start.

    After each step they are put back to within eps of where they were, and within [0, 1].

    Args:
        model: In evaluation mode; its parameters get no gradients.
        pixels: (N, ...), in [0, 1].
        labels: (N,)
        eps: Largest change of a value.
        step: Size of a step.
        generator: On the CPU, for the start: uniform within eps.
        num_steps: Number of steps.

    References:
        Madry et al., 2018, arXiv 1706.06083, section 2.1.
    """
    low, high = (pixels - eps).clamp(min=0), (pixels + eps).clamp(max=1)
    chance = torch.rand(pixels.shape, generator=generator, dtype=pixels.dtype).to(pixels.device)
    moved = (pixels + eps * (2 * chance - 1)).clamp(low, high)
    for _ in range(num_steps):
        moved = (moved + step * _gradient_sign(model, moved, labels)).clamp(low, high)
    return moved


def _gradient_sign(model: Classifier, pixels: Tensor, labels: Tensor) -> Tensor:
    """Return the sign of the cross-entropy's gradient.

    It is taken from the log-odds against the label. The cross-entropy is softplus of them, so its gradient is theirs
    times a positive number, the probability of all other classes; where that is rounded to zero, samples that the model
    is sure of would not be attacked.
    """
    with torch.enable_grad():
        pixels = pixels.detach().requires_grad_()
        logits = model(pixels)
        others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(dim=1)
        own = logits.gather(1, labels[:, None]).squeeze(1)
        (gradient,) = torch.autograd.grad((others - own).sum(), pixels)
    return gradient.sign()


@dataclass(frozen=True)
class Adversarial(Evaluator):
    """Measure the error on attacked test images, and on the same images unattacked.

    Args:
        num_samples: Most test samples that are attacked (default all).
        seed: Draws the random starts.
    """

    num_samples: int | None = None
    seed: int = 0
    metrics: ClassVar = {
        "error_unattacked": percent("error, the same samples unattacked", "error, not\nattacked, %", "Robustness"),
        "error_fgsm_8": percent("error, FGSM 8/255", "FGSM\n8/255, %", "Robustness"),
        "error_fgsm_4": percent("error, FGSM 4/255", "FGSM\n4/255, %", "Robustness"),
        "error_pgd_4": percent("error, PGD 4/255", "PGD\n4/255, %", "Robustness"),
    }

    def check(self, data: Data) -> None:
        """Refuse data that are no images.

        Raises:
            UsageError: if they are none.
        """
        pixels_of(data.test, "adversarial")

    def __call__(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Return the errors."""
        split, prepare = spread(data.test, self.num_samples), pixels_of(data.test, "adversarial")
        generator = torch.Generator().manual_seed(seed_of(self.seed, "pgd"))

        def of_pixels(pixels: Tensor) -> Tensor:
            return model(prepare.as_input(pixels))  # type: ignore[no-any-return]

        attacks: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            "error_unattacked": lambda pixels, labels: pixels,
            "error_fgsm_4": lambda pixels, labels: fgsm(of_pixels, pixels, labels, 4 / 255),
            "error_fgsm_8": lambda pixels, labels: fgsm(of_pixels, pixels, labels, 8 / 255),
            "error_pgd_4": lambda pixels, labels: pgd(of_pixels, pixels, labels, 4 / 255, 2 / 255, generator),
        }
        wrong = dict.fromkeys(attacks, 0)
        total = 0
        with evaluation_mode(model):
            for x, labels in split.chunks(ROWS):
                pixels = prepare.of(x)
                total += len(labels)
                for name, attack in attacks.items():
                    top = of_pixels(attack(pixels, labels)).argmax(dim=1)
                    wrong[name] += int((top != labels).sum())
        return {name: count / total for name, count in wrong.items()}
