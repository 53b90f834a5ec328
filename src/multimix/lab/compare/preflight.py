"""Would every run of a comparison begin? Asked once, before the first of them, and not by each when its turn comes."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from multimix.lab.compare.settings import CompareSettings
from multimix.lab.data import Data, open_data
from multimix.lab.data.stand_in import published
from multimix.lab.train.initial_weights import build_model_of, check_parameters, load_initial_weights
from multimix.lab.train.method_schedule import check_method_fits
from multimix.lab.train.schedule import check_within, parse_schedule
from multimix.lab.train.settings import TrainSettings

Runs = Sequence[TrainSettings]


def check_data_sets(compare: CompareSettings, planned: Runs, fetch: bool = True) -> None:
    """Open each data set and build each model once, so that what cannot work is refused at once and not by every run.

    Those of a cluster may be on its machines only.

    Args:
        compare: The comparison.
        planned: Its runs.
        fetch: Whether to open data that would be downloaded, and refuse initial weights that are not there yet.

    Raises:
        UsageError: if data are not there or cannot be used, a model, its initial weights or a method does not fit
            them, or a run cannot be done on so many samples.
    """
    if compare.ray is not None:
        return
    for runs in _alike(planned, lambda run: (run.data, run.data_options, run.data_root, run.on_bad_file)):
        run = runs[0]
        # Those of a comparison in epochs were fetched to count them.
        if fetch or compare.epochs is not None or _is_at_hand(run.data, run.data_root):
            opened = open_data(run.data, run.data_options, root=run.data_root, on_bad_file=run.on_bad_file)
            _check_runs(runs, opened, fetch)


def weights_to_come(planned: Runs) -> list[str]:
    """Return the places of initial weights where nothing is yet."""
    places = dict.fromkeys(run.initial_weights for run in planned)
    return [place for place in places if place is not None and not _is_there(place)]


def _check_runs(runs: Runs, opened: Data, fetch: bool) -> None:
    for split in _alike(runs, lambda run: (run.validation_share, run.labels_per_class, run.split_seed)):
        data = opened.with_splits(split[0].validation_share, split[0].labels_per_class, split[0].split_seed)
        for run in split:
            run.check_held_out(data.validation is not None)
            run.repeated_samples(len(data.train))
            check_within(parse_schedule(run.schedule), run.length(len(data.train)))
    for same_model in _alike(runs, lambda run: (run.model, run.model_options, run.initial_weights)):
        _check_model(same_model, opened, fetch)


def _check_model(runs: Runs, data: Data, fetch: bool) -> None:
    model = build_model_of(runs[0], data.sample_shape, data.num_classes)
    check_parameters(runs[0].model, model)
    for run in runs:
        check_method_fits(run, model, data.sample_shape, data.num_classes)
    weights = runs[0].initial_weights
    if weights is not None and (fetch or _is_there(weights)):
        load_initial_weights(model, weights)


def _alike(runs: Runs, key: Callable[[TrainSettings], object]) -> Iterable[Runs]:
    """Return the runs in groups that agree in something; options are dicts, so that it is compared as text."""
    groups: dict[str, list[TrainSettings]] = {}
    for run in runs:
        groups.setdefault(repr(key(run)), []).append(run)
    return groups.values()


def _is_there(place: str) -> bool:
    return Path(place).expanduser().exists()


def _is_at_hand(data: str, root: str | None) -> bool:
    if data.startswith("hf:"):
        return Path(data.removeprefix("hf:")).exists()
    return published(data) is None or root is not None
