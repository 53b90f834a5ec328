"""Many runs."""

from dataclasses import dataclass

from multimix.lab.config.checks import check, check_at_least_one, check_name
from multimix.lab.config.recipe import Recipe

CONTROLS = ("equal-pairs", "equal-compute", "equal-epochs", "large-batch")


@dataclass(frozen=True, kw_only=True)
class CompareSettings(Recipe):
    """Many runs: methods × K × controls × seeds.

    Args:
        methods: Names of mixing methods, comma separated.
        num_mixes: Values of K, comma separated.
        controls: What is held equal to the K = 1 row, comma separated: equal-pairs, equal-compute, equal-epochs,
            large-batch.
        seeds: Number of seeds per row; the intervals are over seeds.
        jobs: Runs at a time, each in its own process with an equal share of the cores (default one per core).
        out: Folder of the comparison.
    """

    methods: tuple[str, ...] = ("none", "mixup", "cutmix", "manifold", "puzzlemix")
    num_mixes: tuple[int, ...] = (1, 5)
    controls: tuple[str, ...] = ("equal-pairs", "equal-compute")
    seeds: int = 3
    jobs: int | None = None
    out: str

    def __post_init__(self) -> None:
        from multimix.lab.controls import rows
        from multimix.lab.mixing import METHODS, check_option_names

        super().__post_init__()
        for name in ("methods", "num_mixes", "controls"):
            values = getattr(self, name)
            check(len(values) > 0, f"{name} must name at least one", "add one", **{name: values})
            check(len(set(values)) == len(values), f"{name} must differ from each other", "drop one", **{name: values})
        for method in self.methods:
            check_name("methods", method, METHODS)
        for control in self.controls:
            check_name("controls", control, CONTROLS)
        check_at_least_one("seeds", self.seeds)
        if self.jobs is not None:
            check_at_least_one("jobs", self.jobs)
        check_option_names(self.method_options, self.methods)
        for row in rows(self):  # a bad row is found now, not after the good ones have run
            row.settings(self, steps=1, seed=0)
