"""What does training cost: the lab's loop beside a bare one, K = 5 beside no mixing, two processes beside one.

    python -m benchmarks.training [--seconds S] [--only loop,step,processes]

Ratios are medians over rounds in which the contenders take turns, with 95 % intervals of that median (percentile
bootstrap over rounds). One thread per process.

- loop: the time of `multimix train`'s steps, evaluations left out on both sides, over that of a loop written by hand
  (`bare`), which trains the same model on the same bytes with the same mixer.
- step: one update of PreActResNet-18 on 32 x 32 images: 20 pairs with 5 mixes each over 100 images without mixing,
  so that the last layers see as many rows.
- processes: images per second of two processes that share a batch (torchrun, gloo) over those of one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from scipy.stats import bootstrap

from benchmarks.timing import machine, rounds, table, write_atomic, write_json
from multimix.lab.data import Data, HeldSplit, open_data
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.sets.cifar import Cifar10
from multimix.lab.models import build_model
from multimix.lab.train.learner import Learner
from multimix.lab.train.method_schedule import mixer
from multimix.lab.train.moments import Length
from multimix.lab.train.run import train
from multimix.lab.train.settings import TrainSettings

K = 5
ROWS = 100
CIFAR = (3, 32, 32)
Row = dict[str, object]


def ratio(times: list[float], base: list[float]) -> str:
    """The median of round-by-round ratios and its interval."""
    values = np.array(times) / np.array(base)
    low, high = bootstrap((values,), np.median, n_resamples=9999, method="percentile", rng=0).confidence_interval
    return f"{np.median(values):.3f} [{low:.3f}, {high:.3f}]"


def bare(settings: TrainSettings, data: Data) -> float:
    """A training loop as one writes it by hand; returns the seconds of a step, the first left out."""
    torch.manual_seed(0)
    model = build_model(settings.model, data.sample_shape, data.num_classes, settings.model_options)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps or 1)
    mix = mixer(settings, data.num_classes, settings.mixes.values[0])
    split, size, order = data.train, settings.samples_per_step, torch.empty(0, dtype=torch.int64)
    assert isinstance(split, HeldSplit)
    total_loss = torch.zeros(())
    start = 0.0
    for step in range(settings.steps or 0):
        if step == 1:
            start = perf_counter()
        if len(order) < size:
            order = torch.cat([order, torch.randperm(len(split))])
        chosen, order = order[:size], order[size:]
        x = split.x[chosen]
        if split.augment is not None:
            x = split.augment.apply(x, split.augment.draw(size, step))
        logits, y_mix = mix.run(model, split.prepare(x), split.labels[chosen])
        loss = F.cross_entropy(logits, y_mix)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        total_loss += loss.detach()
    return (perf_counter() - start) / ((settings.steps or 0) - 1)


def lab(settings: TrainSettings, data: Data) -> float:
    """The same by `multimix train`, over the second half of the steps; its clock stands still while it evaluates."""
    records: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        train(TrainSettings(**vars(settings) | {"out": f"{folder}/run"}), on_record=records.append, data=data)
    first, last = records
    return (last["time_s"] - first["time_s"]) / (last["step"] - first["step"])


def cifar_like(num: int) -> Data:
    """Random bytes of CIFAR's shape, cropped and mirrored like CIFAR: a step costs what it costs there."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (num, *CIFAR), dtype=torch.uint8, generator=generator)
    split = HeldSplit(x, torch.arange(num) % 10, Cifar10.prepare, FlipCrop(2))
    return Data(split, split.subset(torch.arange(10)), num_classes=10)


def loops(seconds: float) -> list[Row]:
    """The lab's loop beside the bare one."""
    digits = open_data("digits")
    cases = [
        ("digits, mlp, no mixing", digits, {"model": "mlp", "method": "none", "batch_size": ROWS, "steps": 400}),
        ("digits, small-cnn, no mixing", digits, {"method": "none", "batch_size": ROWS, "steps": 150}),
        ("digits, small-cnn, mixup, K = 5", digits, {"batch_size": ROWS, "steps": 150}),
        (
            "3 x 32 x 32, PreActResNet-18 of width 16, CutMix, K = 5",
            cifar_like(1000),
            {
                "model": "preact-resnet18",
                "model_options": {"width": 16},
                "method": "cutmix",
                "batch_size": 50,
                "steps": 8,
            },
        ),
    ]
    rows: list[Row] = []
    for name, data, asked in cases:
        settings = TrainSettings(**asked, checkpoint_every="never", evaluations=2, out="nowhere")  # type: ignore[arg-type]
        times: dict[str, list[float]] = {"lab": [], "bare": []}
        end = perf_counter() + seconds / len(cases)
        while len(times["lab"]) < 7 or perf_counter() < end:
            times["lab"].append(lab(settings, data))
            times["bare"].append(bare(settings, data))
        median = {which: statistics.median(values) for which, values in times.items()}
        rows.append(
            {
                "data, model, method": name,
                "bare, images/s": f"{settings.samples_per_step / median['bare']:,.0f}",
                "lab, images/s": f"{settings.samples_per_step / median['lab']:,.0f}",
                "lab / bare, time": ratio(times["lab"], times["bare"]),
                "rounds": len(times["lab"]),
            }
        )
        print(rows[-1], flush=True)
    return rows


def updates(seconds: float) -> list[Row]:
    """One update of PreActResNet-18, K = 5 of 20 pairs beside 100 images."""
    x, labels = torch.randn(ROWS, *CIFAR), torch.arange(ROWS) % 10
    kinds: dict[str, dict[str, object]] = {
        "none": {"method": "none"},
        "mixup": {"method": "mixup"},
        "cutmix": {"method": "cutmix"},
        "manifold, at the input of stage 3": {"method": "manifold", "method_options": {"layers": ["stage3"]}},
        "puzzlemix": {"method": "puzzlemix"},
    }
    fabric = Fabric(accelerator="cpu", devices=1)

    def update(asked: dict[str, object]) -> Callable[[], object]:
        settings = TrainSettings(**asked, num_mixes=K, batch_size=ROWS, steps=1000, out="nowhere")  # type: ignore[arg-type]
        torch.manual_seed(0)
        learner = Learner.build(settings, fabric, build_model("preact-resnet18", CIFAR, 10), 10, Length(1000, 10))
        step = iter(range(1000))
        pairs = settings.samples_per_step
        return lambda: learner.update(next(step), x[:pairs], labels[:pairs])

    times = rounds({name: update(asked) for name, asked in kinds.items()}, seconds, min_rounds=15)
    return [
        {
            "method": name,
            "samples x mixes": f"{ROWS} x 1" if name == "none" else f"{ROWS // K} x {K}",
            "ms": f"{1000 * statistics.median(values):,.0f}",
            "x no mixing": ratio(values, times["none"]),
            "rounds": len(values),
        }
        for name, values in times.items()
    ]


def processes(seconds: float) -> list[Row]:
    """Images per second of one process and of two."""
    asked = ["--data", "digits", "--model", "small-cnn", "--steps", "100", "--evaluations", "2"]
    asked += ["--checkpoint-every", "never"]
    kinds = {
        "digits, small-cnn, mixup, K = 5, 1,000 rows": ["--batch-size", "1000"],
        "digits, small-cnn, mixup, K = 5, 100 rows": ["--batch-size", "100"],
    }
    rows: list[Row] = []
    for name, more in kinds.items():
        times: dict[int, list[float]] = {1: [], 2: []}
        end = perf_counter() + seconds / len(kinds)
        while len(times[1]) < 5 or perf_counter() < end:
            for count, values in times.items():
                values.append(_run_of(count, [*asked, *more]))
        rows.append(
            {
                "data, model, method": name,
                **{
                    f"{count}, images/s": f"{99 * int(more[1]) / K / statistics.median(values):,.0f}"
                    for count, values in times.items()
                },
                "2 / 1, images/s": ratio(times[1], times[2]),
                "rounds": len(times[1]),
            }
        )
        print(rows[-1], flush=True)
    return rows


def _run_of(count: int, asked: list[str]) -> float:
    """Seconds that so many processes trained for."""
    program = ["-m", "multimix", "train", *asked]
    if count > 1:
        program = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", *program]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *program, "--out", f"{folder}/run"]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        lines = Path(folder, "run", "metrics.jsonl").read_text().splitlines()
    first, last = json.loads(lines[0]), json.loads(lines[-1])
    return float(last["time_s"] - first["time_s"]) * 99 / (last["step"] - first["step"])


PARTS: dict[str, tuple[str, Callable[[float], list[Row]]]] = {
    "loop": ("The lab's loop beside a bare one", loops),
    "step": ("One update of PreActResNet-18, 100 rows of 3 x 32 x 32 in the last layers", updates),
    "processes": ("Two processes beside one", processes),
}


def main() -> None:
    """Measures and writes `training.json` and `training.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=240, help="for each part (default %(default)g)")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure (default %(default)s)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder of the results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measured = {PARTS[name][0]: PARTS[name][1](arguments.seconds) for name in arguments.only.split(",")}
    where = machine("lightning")
    write_json(arguments.out / "training.json", {"machine": where, "tables": measured})
    page = ["# What training costs", "", f"`python -m benchmarks.training`, {where['date']}, {where['processor']}, "]
    page[-1] += f"{where['cores']} cores, one thread per process, torch {where['versions']['torch']}."
    page += ["", (__doc__ or "").split("\n\n")[2].replace("\n", " "), "", (__doc__ or "").split("\n\n", 3)[3].strip()]
    for title, rows in measured.items():
        page += ["", f"## {title}", "", table(rows)]
    write_atomic(arguments.out / "training.md", "\n".join(page) + "\n")
    print("\n".join(page))


if __name__ == "__main__":
    main()
