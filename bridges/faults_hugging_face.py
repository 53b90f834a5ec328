"""What transformers does with soft labels: `python -m bridges.faults_hugging_face`."""

import torch
import torch.nn.functional as F
import transformers
from transformers import ViTConfig, ViTForImageClassification


def main() -> None:
    print(f"transformers {transformers.__version__}, ViTForImageClassification, 4 classes")
    x = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    soft = torch.full((6, 4), 0.1) + 0.6 * F.one_hot(torch.arange(6) % 4, 4)
    model = vit()
    output = model(x, labels=soft)
    entropy = F.cross_entropy(output.logits, soft)
    binary = F.binary_cross_entropy_with_logits(output.logits, soft)
    print(f"soft labels (6, 4): loss {output.loss:.4f}; cross-entropy {entropy:.4f}, binary cross-entropy {binary:.4f}")
    print(f"config.problem_type afterwards: {model.config.problem_type}")
    print(f"integer labels after that, as in evaluation: {attempt(model, x, torch.arange(6) % 4)}")
    named = vit(problem_type="single_label_classification")
    print(f"soft labels with problem_type named: {attempt(named, x, soft)}")
    model = vit()
    smoother = transformers.trainer_pt_utils.LabelSmoother(epsilon=0.1)
    try:
        smoother({"logits": model(x).logits}, soft)
        print("soft labels with label_smoothing_factor: works")
    except Exception as error:
        print(f"soft labels with label_smoothing_factor: {type(error).__name__}: {str(error).splitlines()[0]}")


def vit(**settings) -> ViTForImageClassification:
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    return ViTForImageClassification(ViTConfig(image_size=8, patch_size=4, num_labels=4, **sizes, **settings)).eval()


def attempt(model: ViTForImageClassification, x: torch.Tensor, labels: torch.Tensor) -> str:
    try:
        return f"loss {model(x, labels=labels).loss:.4f}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


if __name__ == "__main__":
    main()
