"""What to choose from, and how long that may take."""

from dataclasses import dataclass, field

from multimix.lab.core.checks import check, check_at_least_one, check_place
from multimix.lab.core.errors import UsageError
from multimix.lab.train.moments import SECONDS, Moment
from multimix.lab.train.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class ChooseSettings(Recipe):
    """A race of candidates: no mixing, and methods × K, × rows per step × length.

    Args:
        data: Name of the data set, or folder:PATH, hf:REPO, webdataset:PATH.
        data_options: Options of the data set, by name, e.g. --data-options.padding 4
        budget: How long the race may take, on the clock: 90s, 30min or 2h.
        methods: Names of mixing methods, comma separated, or such with odds and schedules, as for compare; no mixing is
            a candidate whatever is named.
        num_mixes: Values of K, comma separated.
        batch_sizes: Rows per step, comma separated; each K is tried with those that it divides (default: batch_size,
            and the small batch of batch_size divided by the largest K). A length means the same rows for all: fewer
            rows per step are as many times more steps.
        seeds: The most paired seeds of a candidate; each draws its own held-out samples, first weights and mixing.
        jobs: Runs at a time, each in its own process with an equal share of the cores (default one per core); 0 does
            them in this process.
        steps: Updates of the shortest runs, at batch_size rows (default: 30 to 500, as the budget allows).
        epochs: Not for this command.
        evaluations: How many times, evenly spaced, the model is evaluated while it learns; the last one counts.
        validation_share: Share of the training split held out, to choose by; not used where the data set has its own.
        out: Folder of the race.
    """

    data: str = "digits"
    data_options: dict[str, bool | int | float | str] = field(default_factory=dict)
    budget: str
    methods: tuple[str, ...] = ("mixup", "cutmix", "manifold", "puzzlemix")
    num_mixes: tuple[int, ...] = (1, 5)
    batch_sizes: tuple[int, ...] = ()
    seeds: int = 5
    jobs: int | None = None
    evaluations: int = 1
    validation_share: float = 0.2
    out: str

    def __post_init__(self) -> None:
        from multimix.lab.data import check_data
        from multimix.lab.train.method_schedule import check_option_names, parse_list

        by_budget = self.steps is None
        super().__post_init__()
        if by_budget:
            object.__setattr__(self, "steps", None)
        check_place("out", self.out)
        _ = self.budget_s
        check_data(self.data, self.data_options)
        given = parse_list(self.methods)
        object.__setattr__(self, "methods", tuple(name for name in given if name != "none"))
        check(
            len(self.methods) > 0,
            "methods must name one that mixes",
            "none is always a candidate; add one",
            methods=given,
        )
        check(len(self.num_mixes) > 0, "num_mixes must name at least one", "add one", num_mixes=())
        for name in ("num_mixes", "batch_sizes"):
            for value in getattr(self, name):
                check_at_least_one(name, value)
        if not self.batch_sizes:
            small = max(1, self.batch_size // max(self.num_mixes))
            object.__setattr__(self, "batch_sizes", tuple(dict.fromkeys((self.batch_size, small))))
        for name in ("methods", "num_mixes", "batch_sizes"):
            values = getattr(self, name)
            check(len(set(values)) == len(values), f"{name} must differ from each other", "drop one", **{name: values})
        for k in self.num_mixes:
            fits = any(rows % k == 0 for rows in self.batch_sizes)
            check(
                fits,
                "num_mixes must divide one of batch_sizes",
                "change one",
                num_mixes=k,
                batch_sizes=self.batch_sizes,
            )
        check_option_names(self.method_options, self.methods)
        check_at_least_one("seeds", self.seeds)
        jobs = self.jobs
        check(jobs is None or jobs >= 0, "jobs must be an integer >= 0", "give 0 for this process", jobs=jobs)
        self._check_recipe()

    def _check_recipe(self) -> None:
        held = 0 < self.validation_share < 1
        check(held, "validation_share must be in (0, 1)", "try 0.2", validation_share=self.validation_share)
        check(self.epochs is None, "lengths are numbers of steps", "give --steps or nothing", epochs=self.epochs)
        whole = self.patience is None
        check(whole, "runs of a race are whole, each with its own schedule", "leave it out", patience=self.patience)

    @property
    def budget_s(self) -> float:
        """The budget in seconds.

        Raises:
            UsageError: if it is no time.
        """
        found = Moment.parse(self.budget)
        if found is None or found.unit not in SECONDS or found.amount <= 0:
            raise UsageError(f"budget must be a time above zero, got budget={self.budget!r}; try 90s, 30min or 2h")
        return found.time_s
