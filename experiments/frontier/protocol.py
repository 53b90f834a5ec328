"""What is compared on one data set: arms, rates, lengths and seeds, from a file."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

MIXES = 5
TUNING_SEEDS, FINAL_SEEDS = 0, 100  # the first of each; none is in both
SHORT = 4  # lengths that every arm is tuned at, whatever its error does


@dataclass(frozen=True)
class Arm:
    """One way to train. An update of length S for a batch of B rows becomes `updates * S` updates here.

    Args:
        method: Name of the mixing method.
        kind: The word of the glossary.
        num_mixes: K.
        pairs: Pairs of an update, as a share of B.
        updates: Updates, in units of S.
        fresh: Whether each mix of a sample has a partner of its own, from a pool of B samples.
        rate_of: Kind of the arm whose learning rate is taken; empty if it is tuned for this one.
        options: Settings of MultiMix that are not its defaults.
        model_options: Options of the model beside the protocol's.
    """

    method: str
    kind: str
    num_mixes: int = 1
    pairs: float = 1.0
    updates: int = 1
    fresh: bool = False
    rate_of: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    model_options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How records and tables call it."""
        return f"{self.method} {self.kind}"


ARMS = (
    {"kind": "K=1"},
    {"kind": "small batch", "pairs": 1 / MIXES, "updates": MIXES},
    {"kind": "K=5 same rows", "num_mixes": MIXES, "pairs": 1 / MIXES},
    {"kind": "K=2 same rows", "num_mixes": 2, "pairs": 1 / 2, "rate_of": "K=5 same rows"},
    {"kind": "repeats", "num_mixes": MIXES, "pairs": 1 / MIXES, "fresh": True, "rate_of": "K=5 same rows"},
    {"kind": "K=5 same pairs", "num_mixes": MIXES, "rate_of": "K=5 same rows"},
)


@dataclass(frozen=True)
class Protocol:
    """The file of one data set.

    Args:
        name: Of the study; the file's name.
        data: Name of the data set.
        data_options: Its options.
        model: Name of the model.
        model_options: Its options.
        labels_per_class: Samples of each class to train on.
        validation: Samples of the unlabelled rest by which rates and lengths are chosen.
        test: Samples of the rest that are judged on, drawn anew for every seed; 0 for all.
        batch_size: B, the rows of an update of the arm with K = 1.
        first_length: Updates of the shortest run; the others are its doubles.
        lengths: How many lengths there are.
        rates: Learning rates to choose from.
        methods: Names of the mixing methods.
        kinds: Which arms each of them has.
        channels_last: Whether images are stored channels last, which a CPU too may be faster with.
        rates_up_to: Longest length at which every rate is tried; longer ones only at the best rate so far. 0 for all.
        localization: Whether final models are asked where the object is too, in data with boxes.
        tuning_seeds: Seeds for choosing.
        final_seeds: Seeds for the results.
    """

    name: str
    data: str
    model: str
    labels_per_class: int
    validation: int
    test: int
    batch_size: int
    first_length: int
    lengths: int
    rates: tuple[float, ...]
    methods: tuple[str, ...]
    tuning_seeds: int
    final_seeds: int
    kinds: tuple[str, ...] = tuple(str(arm["kind"]) for arm in ARMS)
    data_options: dict[str, Any] = field(default_factory=dict)
    model_options: dict[str, Any] = field(default_factory=dict)
    channels_last: bool = False
    rates_up_to: int = 0
    localization: bool = False

    @classmethod
    def read(cls, path: Path) -> "Protocol":
        """Read a protocol file.

        Raises:
            ValueError: if a setting is missing or unknown.
        """
        given = yaml.safe_load(path.read_text())
        known = {item.name for item in fields(cls)} - {"name"}
        if unknown := set(given) - known:
            raise ValueError(f"settings of {path} must be among {sorted(known)}, got {sorted(unknown)}; remove them")
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
        return cls(name=path.stem, **values)

    def arms(self) -> list[Arm]:
        """Return the arms in the order of the tables: without mixing first."""
        none = [Arm("none", **arm) for arm in ARMS[:2]]  # type: ignore[arg-type]
        mixed = [Arm(method, **arm) for method in self.methods for arm in ARMS if arm["kind"] in self.kinds]  # type: ignore[arg-type]
        return none + mixed

    def all_lengths(self) -> list[int]:
        """Return the lengths in updates of the arm with K = 1, ascending."""
        return [self.first_length * 2**i for i in range(self.lengths)]
