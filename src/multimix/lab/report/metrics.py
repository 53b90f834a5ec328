"""What the numbers of an evaluation are called, how they are written, and which way is better."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A number of an evaluation.

    Args:
        title: What it is called.
        scale: What it is multiplied by; fractions are shown in percent.
        digits: Digits after the point.
        better: Which values are better: "lower", "higher" or, where neither is, "".
    """

    title: str
    scale: float = 1.0
    digits: int = 3
    better: str = "lower"


def _percent(title: str, better: str = "lower") -> Metric:
    return Metric(f"{title}, %", 100.0, 2, better)


# Of every run, in the first table.
MAIN = {"error": _percent("error"), "nll": Metric("NLL"), "ece": _percent("ECE")}
# In tables of their own, where runs have them.
THEMES: dict[str, dict[str, Metric]] = {
    "Error in other ways": {
        "error_last_10": _percent("median of the last 10 records"),
        "error_top5": _percent("top-5 error"),
    },
    "Calibration": {
        "brier": Metric("Brier score"),
        "ece_10": _percent("ECE in 10 bins"),
        "confidence": _percent("confidence", better=""),
        "overconfidence": _percent("overconfidence", better=""),
    },
    "Calibration after temperature scaling": {
        "temperature": Metric("temperature", 1.0, 2, ""),
        "nll_scaled": Metric("NLL"),
        "brier_scaled": Metric("Brier score"),
        "ece_scaled": _percent("ECE"),
        "ece_10_scaled": _percent("ECE in 10 bins"),
    },
    "Robustness": {
        "error_unattacked": _percent("error, the same samples unattacked"),
        "error_fgsm_8": _percent("error, FGSM 8/255"),
        "error_fgsm_4": _percent("error, FGSM 4/255"),
        "error_pgd_4": _percent("error, PGD 4/255"),
        "error_corruption": _percent("error, corruptions"),
        "error_corruption_extra": _percent("error, 4 further corruptions"),
        "error_corruption_all": _percent("error, all 19 corruptions"),
        "ood_auroc": _percent("AUROC of other data (▲ better)", "higher"),
    },
    "Localization": {
        "localization_error": _percent("localization error"),
        "localization_error_known_class": _percent("with the true class given"),
        "localization_iou": _percent("overlap of boxes (▲ better)", "higher"),
    },
    "Transfer": {
        "transfer_error": _percent("error on other data"),
        "transfer_error_from_scratch": _percent("the same from scratch"),
    },
    "Linearity": {
        "linearity_gap": _percent("gap along MixUp's path"),
        "linearity_gap_cutmix": _percent("gap along CutMix's path"),
    },
}
OTHERS = "Other numbers"
KNOWN = {**MAIN, **{name: metric for theme in THEMES.values() for name, metric in theme.items()}}


def metric_of(name: str) -> Metric:
    """Returns a number's metric; one that is not known is shown by its name, as it is."""
    return KNOWN.get(name, Metric(name, 1.0, 4, ""))


def is_bin(name: str) -> bool:
    """Whether a number is one bin's: `<name>/<bin>/<of what>`."""
    return re.fullmatch(r"[^/]+/\d+/[^/]+", name) is not None


def themes(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yields the themes that any of the numbers belong to, with these numbers; not the first table's.

    Numbers with a slash in their name are parts of another and too many for a table.
    """
    present = [name for name in dict.fromkeys(names) if "/" not in name]
    for theme, metrics in THEMES.items():
        if shown := [name for name in metrics if name in present]:
            yield theme, shown
    if others := [name for name in present if name not in KNOWN]:
        yield OTHERS, others
