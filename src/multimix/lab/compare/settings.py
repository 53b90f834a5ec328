"""Many runs."""

import math
from dataclasses import dataclass, field
from typing import Any

from multimix.lab.compare.controls import CONTROLS
from multimix.lab.core.checks import check, check_at_least_one, check_name, check_place
from multimix.lab.train.recipe import Recipe

MOST_ROWS = 10_000


@dataclass(frozen=True, kw_only=True)
class CompareSettings(Recipe):
    """Many runs: data sets × methods × alphas × K × controls × lengths × seeds.

    Args:
        data: Names of data sets, or folder:PATH, hf:REPO, webdataset:PATH, comma separated; each gets a table.
        data_options: Options of the data sets, by name, e.g. --data-options.padding 4; each gets those it has.
        methods: Names of mixing methods, comma separated; or several with odds, mixup+cutmix:2, or schedules of such by
            share of the steps, e.g. none,mixup+cutmix:2@0,none@0.9,cutmix: a phase after 0 goes on with the one before.
        alphas: Values of alpha, comma separated, for the methods that have it (default: each method's own).
        num_mixes: Values of K, comma separated.
        controls: What is compared with the K = 1 row, comma separated: same-pairs, same-rows or same-images, each with
            K mixes; k-updates, k-batch or small-batch, each with one.
        lengths: Numbers of steps of the row with K = 1, comma separated, in place of steps: every row is trained at
            each of them, in runs of their own.
        variants: Named changes of a run's settings, for a file, e.g. {iid: {sampling: iid}}. Every row that mixes is
            also done with each of them, if its method has the options they change, and compared with itself without;
            one that changes num_mixes, e.g. {growing: {num_mixes: "1@0,5@0.5"}}, is done in place of K = 1 alone.
        seeds: Number of seeds per row; the intervals are over seeds.
        jobs: Runs at a time, each in its own process with an equal share of the cores (default one per core); 0 does
            them in this process. With Ray: the most at a time (default as many as the cluster has room for).
        ray: Do the runs on a Ray cluster: its HOST:PORT, or auto for the one that `ray start` made known here, or else
            one of this machine's cores, for as long as it takes.
        cpus_per_run: With Ray: cores of each run (default 1).
        gpus_per_run: With Ray: GPUs of each run; 0.5 lets two share one (default 1 where the device can be a GPU and
            the cluster has any, else 0).
        out: Folder of the comparison.
    """

    data: tuple[str, ...] = ("digits",)
    data_options: dict[str, bool | int | float | str] = field(default_factory=dict)
    methods: tuple[str, ...] = ("none", "mixup", "cutmix", "manifold", "puzzlemix")
    alphas: tuple[float, ...] = ()
    num_mixes: tuple[int, ...] = (1, 5)
    controls: tuple[str, ...] = ("same-pairs", "same-rows")
    lengths: tuple[int, ...] = ()
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)
    seeds: int = 3
    jobs: int | None = None
    ray: str | None = None
    cpus_per_run: int | None = None
    gpus_per_run: float | None = None
    out: str

    def __post_init__(self) -> None:
        from multimix.lab.compare.variants import check_variants
        from multimix.lab.data import check_data_option_names
        from multimix.lab.train.method_schedule import parse_list

        if self.lengths:
            check(
                self.steps is None and self.epochs is None,
                "lengths are given in place of steps and epochs",
                "leave those out",
                lengths=self.lengths,
                steps=self.steps,
                epochs=self.epochs,
            )
        super().__post_init__()
        if self.lengths:
            object.__setattr__(self, "steps", None)
        check_place("out", self.out)
        object.__setattr__(self, "alphas", tuple(map(float, self.alphas)))  # 1 and 1.0 are one alpha
        object.__setattr__(self, "methods", parse_list(self.methods))
        for name in ("data", "methods", "num_mixes", "controls"):
            check(len(getattr(self, name)) > 0, f"{name} must name at least one", "add one", **{name: ()})
        for name in ("data", "methods", "alphas", "num_mixes", "controls", "lengths"):
            values = getattr(self, name)
            check(len(set(values)) == len(values), f"{name} must differ from each other", "drop one", **{name: values})
        for num_mixes in self.num_mixes:  # before rows divide by it
            check_at_least_one("num_mixes", num_mixes)
        for length in self.lengths:
            check_at_least_one("lengths", length)
        check_data_option_names(self.data_options, self.data)
        self._check_methods()
        for control in self.controls:
            check_name("controls", control, CONTROLS)
        check_variants(self.variants, self.methods)
        check_at_least_one("seeds", self.seeds)
        self._check_executor()
        most = len(self.data) * len(self.methods) * max(1, len(self.alphas)) * len(self.num_mixes)
        most *= max(1, len(self.controls)) * max(1, len(self.lengths)) * (1 + len(self.variants))
        check(most <= MOST_ROWS, f"a comparison must have at most {MOST_ROWS:,} rows", "compare less", rows=most)

    def _check_methods(self) -> None:
        from multimix.lab.train.method_schedule import check_option_names, options_for

        check_option_names(self.method_options, self.methods)
        if self.alphas:
            check(
                any(options_for(method, {"alpha": 1}) for method in self.methods),
                "alphas must be for a method that has alpha",
                "leave them out or add such a method",
                alphas=self.alphas,
                methods=self.methods,
            )
            check(
                "alpha" not in self.method_options,
                "alpha must be given once",
                "leave one of the two out",
                alphas=self.alphas,
                method_options=self.method_options,
            )

    def _check_executor(self) -> None:
        if self.jobs is not None:
            check(self.jobs >= 0, "jobs must be an integer >= 0", "give 0 for this process", jobs=self.jobs)
        if self.ray is None:
            for name in ("cpus_per_run", "gpus_per_run"):
                value = getattr(self, name)
                check(value is None, f"{name} is for runs on Ray", "add --ray auto or leave it out", **{name: value})
            return
        host, _, port = self.ray.rpartition(":")
        is_address = bool(host) and "/" not in host and port.isdecimal()
        check(self.ray == "auto" or is_address, "ray must be auto or HOST:PORT", "try auto", ray=self.ray)
        check(self.jobs != 0, "runs are on Ray or in this process", "leave one out", ray=self.ray, jobs=self.jobs)
        if self.cpus_per_run is not None:
            check_at_least_one("cpus_per_run", self.cpus_per_run)
        gpus = self.gpus_per_run
        if gpus is not None:
            # Ray's own rule: whole GPUs, or a part of one.
            whole = math.isfinite(gpus) and gpus >= 0 and (gpus < 1 or gpus == int(gpus))
            check(whole, "gpus_per_run must be a whole number >= 0 or a part of 1", "try 1", gpus_per_run=gpus)
            check(self.device != "cuda" or gpus > 0, "a run on cuda needs a GPU", "try 1", gpus_per_run=gpus)
