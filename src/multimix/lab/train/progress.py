"""A record, and a time, as a line of text."""

from multimix.lab.train.run_folder import Record


def record_line(record: Record, split: str = "test") -> str:
    """Return what a record says, on one line; `split` is what it was judged on."""
    return f"{quality(record, split)}  {record['rows'] / record['time_s']:,.0f} rows/s  {record['time_s']:.1f} s"


def quality(record: Record, split: str = "test") -> str:
    """Return how far a run is, and how good."""
    return (
        f"step {record['step']:>5g}  epoch {record['epoch']:6.1f}  loss {record['loss']:.3f}  "
        f"mixed accuracy {record['mixed_accuracy']:.1%}  {split} error {record['error']:5.2%}"
    )


def duration(time_s: float) -> str:
    """Return a time as one would say it: 8 s, 2 min 5 s, 1 h 20 min."""
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
