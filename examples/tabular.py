"""Tables: numbers are mixed as they are, categories where they are vectors, at the first layer above their embeddings.

    pip install statsmodels
    python examples/tabular.py

Breast cancer (569 rows, 30 numbers) and wine (178 rows, 13 numbers), both shipped by scikit-learn, by input mixup; and
a survey of 6,366 women (statsmodels' "fair": six numbers, two occupations as categories; who reports an affair?) by
manifold mixup, because half of one occupation and half of another is none. A minute on one core.
"""

import argparse
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from harness import Split, Task, error_percent, run
from sklearn.datasets import load_breast_cancer, load_wine
from torch import Tensor, nn

from multimix import ManifoldMixup, MultiMix

CATEGORIES = ("occupation", "occupation_husb")


class Table(nn.Module):
    """Numbers and embedded categories, one after the other, into a small network; mix at "body".

    Args:
        numbers: How many columns are numbers.
        categories: How many values each categorical column has; these columns come last, as whole numbers.
    """

    def __init__(self, numbers: int, categories: Sequence[int] = ()) -> None:
        super().__init__()
        self.numbers = numbers
        self.embed = nn.ModuleList(nn.Embedding(count, 8) for count in categories)
        width = numbers + 8 * len(categories)
        self.body = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, x: Tensor) -> Tensor:
        """Returns the logits of two classes."""
        columns = x[:, self.numbers :].long().unbind(1)
        vectors = [embed(column) for embed, column in zip(self.embed, columns, strict=True)]
        logits: Tensor = self.body(torch.cat([x[:, : self.numbers], *vectors], dim=1))
        return logits


def split(x: Tensor, y: Tensor, numbers: int) -> tuple[Split, Split]:
    """Returns training and test split, every fourth row of a fixed order; numbers are standardised by the former."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, y = x[order].clone(), y[order]
    test = torch.arange(len(x)) % 4 == 0
    mean, deviation = x[~test, :numbers].mean(0), x[~test, :numbers].std(0)
    x[:, :numbers] = (x[:, :numbers] - mean) / deviation
    return Split(x[~test], y[~test]), Split(x[test], y[test])


def survey() -> tuple[Tensor, Tensor, list[int]]:
    """Returns the survey: numbers, then categories from 0 on; whether there was an affair; values per category."""
    from statsmodels.datasets import fair

    table = fair.load_pandas().data
    numbers = table.drop(columns=[*CATEGORIES, "affairs"])
    codes = [table[name].astype("category").cat.codes for name in CATEGORIES]
    x = torch.tensor(numbers.assign(**dict(zip(CATEGORIES, codes, strict=True))).to_numpy(), dtype=torch.float32)
    y = torch.tensor((table["affairs"] > 0).to_numpy(), dtype=torch.int64)
    return x, y, [int(code.max()) + 1 for code in codes]


def tasks(_: argparse.Namespace) -> list[Task]:
    """Returns the three tasks."""
    found = []
    for title, load in (("breast cancer", load_breast_cancer), ("wine", load_wine)):
        array, labels = load(return_X_y=True)
        x, y = torch.tensor(array, dtype=torch.float32), torch.tensor(labels)
        classes = int(y.max()) + 1
        train, test = split(x, y, x.shape[1])
        found.append(
            Task(
                title=title,
                train=train,
                test=test,
                model=lambda inputs=x.shape[1], outputs=classes: nn.Sequential(
                    nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs)
                ),
                mixers={"mixup": lambda k, c=classes: MultiMix("mixup", num_mixes=k, num_classes=c)},
                loss=F.cross_entropy,
                score=error_percent,
                score_name="error, %",
                steps=200,
            )
        )
    x, y, counts = survey()
    numbers = x.shape[1] - len(counts)
    train, test = split(x, y, numbers)
    mixers = {
        "manifold": lambda k: MultiMix(ManifoldMixup(layers=["body"], alpha=1.0), num_mixes=k, num_classes=2),
    }
    model = lambda: Table(numbers, counts)  # noqa: E731
    survey_task = Task(
        "survey, with categories", train, test, model, mixers, F.cross_entropy, error_percent, "error, %"
    )
    return [*found, survey_task]


if __name__ == "__main__":
    run(tasks, "tabular", __doc__)
