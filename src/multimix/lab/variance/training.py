"""A run that stops to be looked at."""

from collections.abc import Callable, Iterator, Sequence

from lightning.fabric import Fabric

from multimix.lab.core.errors import RunFailed
from multimix.lab.data import Data, SampleOrder
from multimix.lab.train.initial_weights import model_at_start
from multimix.lab.train.learner import Learner
from multimix.lab.train.settings import TrainSettings


def trained(
    settings: TrainSettings,
    fabric: Fabric,
    data: Data,
    stops: Sequence[int],
    on_step: Callable[[], None] = lambda: None,
) -> Iterator[Learner]:
    """Yields what learns, after so many updates, in rising order; the updates are those of `multimix train`.

    Args:
        settings: The run's.
        fabric: Device and precision.
        data: What is trained on.
        stops: Updates after which it is yielded.
        on_step: Called after each update.

    Raises:
        UsageError: if the data, the model and the length of the run do not fit together.
        RunFailed: if a weight is no longer finite.
    """
    length = settings.length(len(data.train))
    learner = Learner.build(settings, fabric, model_at_start(settings, data, fabric), data.num_classes, length)
    order = SampleOrder(len(data.train), settings.samples_per_step, settings.seed)
    batches = data.train.batches(order, range(max(stops)))
    done = 0
    for stop in stops:
        for _ in range(stop - done):
            learner.update(done, *next(batches))
            done += 1
            on_step()
        if not all(parameter.isfinite().all() for parameter in learner.bare.parameters()):
            raise RunFailed(f"the weights must stay finite, got some that are not by step {stop}; lower learning_rate")
        yield learner
