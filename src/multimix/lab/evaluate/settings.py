"""Finished models, and what is asked of them."""

from dataclasses import dataclass, field

from multimix.lab.core.checks import check, check_at_least_one, check_finite, check_name, check_place, check_seed

NOISE = "noise"  # as ood_data: uniform pixels


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """Finished models, and what is asked of them.

    Args:
        runs: Folders of runs, or of comparisons: then all their runs.
        evaluators: What to ask (--with), comma separated: error, calibration, adversarial, corruption, ood,
            localization, transfer, linearity.
        data_root: Folder of local copies of data sets (default: each run's own).
        allow_code: Models of the form package.module:callable, comma separated, that may be imported where a run's
            folder names them; none without, as importing a module can do anything.
        device: Where to compute: auto, cpu, cuda, mps.
        num_samples: Most test samples that attacks, corruptions and paths are tried on (default all), the same for
            every run.
        seed: The source of chance of random starts and noise; the same for every run.
        corruptions: Folder of published corrupted files, <type>.npy and labels.npy (default: made by multimix).
        ood_data: Data set whose test samples should be met with less confidence, or noise.
        ood_data_options: Options of that data set.
        transfer_data: Data set that the model is fine-tuned on.
        transfer_data_options: Options of that data set.
        transfer_layers: What is fine-tuned: head (all else stays as it is) or all.
        transfer_steps: Updates of the fine-tuning.
        transfer_batch_size: Samples per update.
        transfer_learning_rate: Its highest rate; it falls to zero along a cosine.
    """

    runs: tuple[str, ...]
    evaluators: tuple[str, ...] = ("error", "calibration")
    data_root: str | None = None
    allow_code: tuple[str, ...] = ()
    device: str = "auto"
    num_samples: int | None = None
    seed: int = 0
    corruptions: str | None = None
    ood_data: str | None = None
    ood_data_options: dict[str, bool | int | float | str] = field(default_factory=dict)
    transfer_data: str | None = None
    transfer_data_options: dict[str, bool | int | float | str] = field(default_factory=dict)
    transfer_layers: str = "head"
    transfer_steps: int = 200
    transfer_batch_size: int = 120
    transfer_learning_rate: float = 0.01

    def __post_init__(self) -> None:
        from multimix.lab.data import DATASETS, check_data

        check(len(self.runs) > 0, "runs must name at least one folder", "give the --out of a run", runs=())
        check(len(self.evaluators) > 0, "evaluators must name at least one", "add one", evaluators=())
        for run in self.runs:
            check_place("runs", run)
        check_place("data_root", self.data_root)
        check_name("device", self.device, ("auto", "cpu", "cuda", "mps"))
        check_seed(self.seed)
        for name in ("num_samples", "transfer_steps", "transfer_batch_size"):
            if getattr(self, name) is not None:
                check_at_least_one(name, getattr(self, name))
        check_finite("transfer_learning_rate", self.transfer_learning_rate, "try 0.01")
        check_name("transfer_layers", self.transfer_layers, ("head", "all"))
        for name, others in (("ood_data", (NOISE,)), ("transfer_data", ())):
            data = getattr(self, name)
            if data is not None and ":" not in data:
                check_name(name, data, (*DATASETS, *others))
            if data is not None and data not in others:
                check_data(data, getattr(self, f"{name}_options"))
