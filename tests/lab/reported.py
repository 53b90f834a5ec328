"""Comparisons made up for the tests of reports: run folders with known numbers, and nothing trained."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from multimix.lab.compare.folder import Comparison
from multimix.lab.compare.rows import runs
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.train.run_folder import RunFolder, to_config

ENVIRONMENT = {
    "device": "cpu",
    "processor": "Test & Co <1%>",
    "threads": 1,
    "jobs": 1,
    "python": "3.11",
    "torch": "2.13",
    "multimix": "0.1",
    "system": "Linux",
}
RECORDS = 12


def settings(out: Path, **changes) -> CompareSettings:
    """Settings of a small comparison."""
    values = {"methods": ("none", "mixup"), "num_mixes": (1, 5), "steps": 60, "seeds": 3, "evaluations": RECORDS}
    return CompareSettings(**values | changes, out=str(out))


def made_up(asked: CompareSettings, more=lambda seed, error: {}) -> Path:
    """Writes the folder of a comparison whose runs are done; more numbers come from `more`."""
    comparison = Comparison(asked, f"multimix compare --out {asked.out}")
    comparison.folder.mkdir(parents=True, exist_ok=True)
    comparison.write()
    for row, run in runs(asked):
        folder = RunFolder(Path(run.out))
        folder.note_row(asdict(row))
        k, seed = row.num_mixes, run.seed
        noise = np.random.default_rng([seed, k, len(row.control), len(row.method)]).normal(0, 0.002)
        error = 0.05 - 0.004 * k * (row.control == "same-pairs") + 0.001 * seed + noise
        lines = [_record(i, error, run.batch_size, k) for i in range(RECORDS)]
        (folder.path / "config.json").write_text(json.dumps(to_config(run)))
        (folder.path / "environment.json").write_text(json.dumps(ENVIRONMENT))
        (folder.path / "data.json").write_text(json.dumps({"labels_sha256": "0a1b"}))
        (folder.path / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        evaluation = {"error": error, "nll": error * 3 + noise, "ece": 0.02 + noise, **more(seed, error)}
        (folder.path / "evaluation.json").write_text(json.dumps(evaluation))
    return comparison.folder


def _record(number: int, error: float, rows: int, k: int) -> dict[str, float]:
    done = number + 1
    return {
        "step": 5 * done,
        "epoch": 0.1 * done,
        "time_s": 0.5 * done,
        "cpu_time_s": 0.45 * done,
        "rows": 5 * done * rows,
        "images": 5 * done * rows // k,
        "loss": 1.0,
        "error": error + 0.3 / done,
        "nll": 1.0,
        "ece": 0.1,
    }


def everything(seed: int, error: float) -> dict[str, float]:
    """Numbers of many evaluators, and one that no table knows."""
    numbers = {"brier": 0.1 + error, "temperature": 0.5, "overconfidence": -0.05 - error, "ece_scaled": 0.01 + error}
    numbers |= {
        "error_fgsm_8": 0.4 + error,
        "ood_auroc": 0.9 - error,
        "sharpness": 1.5 + seed,
        "linearity/0.1": 0.2 + error,
    }
    for name in ("reliability", "reliability_scaled"):
        for number in (7, 14):
            sure = (number + 0.5) / 15
            numbers |= {f"{name}/{number:02}/count": 10.0 * (seed + 1), f"{name}/{number:02}/confidence": sure}
            numbers[f"{name}/{number:02}/accuracy"] = sure - 0.01
    return numbers


def made_up_variance(folder: Path) -> None:
    """Writes what multimix variance would have, of one moment and two values of K."""
    around = lambda value: {"value": value, "low": 0.9 * value, "high": 1.1 * value, "n": 8}  # noqa: E731
    draws = [("stratified", "pair"), ("iid", "batch")]
    designs = [
        {"kind": kind, "num_mixes": k, "sampling": sampling, "share": share, "partners": "same", "norm": "batch"}
        | {"variance": around(4 / k), "to_one": around(1 / k), "mixes_to_large": around(1.5)}
        for kind in ("P pairs × K", "K P pairs × 1")
        for sampling, share in draws
        for k in (1, 5)
        if k > 1 or kind == "P pairs × K"
    ]
    best = {"same_pairs": 5, "same_rows": 1, "iid_theory": None}
    moment = {
        "at": "50%",
        "step": 10,
        "error": 0.25,
        "designs": designs,
        "floor": {"to_one": around(0.1)},
        "best": best,
    }
    settings = {"data": "digits", "model": "mlp", "method": "mixup", "replicates": 8}
    folder.mkdir()
    stored = {"settings": settings, "command": "multimix variance --out variance", "moments": [moment]}
    (folder / "variance.json").write_text(json.dumps(stored))
