"""Does one step hold the same sample more than once? That is allowed, said, and refused where it cannot be meant."""

from multimix.lab.core.errors import UsageError
from multimix.lab.train.settings import TrainSettings

MOST = 100  # times the training split; beyond, a step is wasted work at best, and fills the memory at worst


def repeated_samples(settings: TrainSettings, num_samples: int) -> str | None:
    """Returns a line for a run whose steps hold more samples than there are; None for others.

    Args:
        settings: The run's.
        num_samples: Samples to train on.

    Raises:
        UsageError: if a step holds every sample more than `MOST` times.
    """
    per_step = settings.batch_size // min(settings.mixes.values)
    if per_step <= num_samples:
        return None
    times = per_step / num_samples
    if times > MOST:
        raise UsageError(
            f"a step must hold every sample {MOST} times at most, got batch_size={settings.batch_size:,}, "
            f"num_mixes={settings.num_mixes} with {num_samples:,} samples to train on: {times:,.0f} times; give a "
            f"smaller batch_size"
        )
    return f"each step holds every sample {times:.1f} times: {per_step:,} samples of {num_samples:,} to train on"
