"""When does a run stop early? Judged by held-out samples of the training split, never by the test split."""

from collections.abc import Sequence

from multimix.lab.train.run_folder import Record

JUDGED_BY = "validation_error"


def is_best(records: Sequence[Record]) -> bool:
    """Whether the last record is better than all before it."""
    errors = [record[JUDGED_BY] for record in records]
    return errors[-1] < min(errors[:-1], default=float("inf"))


def has_stalled(records: Sequence[Record], patience: int) -> bool:
    """Whether the last `patience` records brought no better one."""
    errors = [record[JUDGED_BY] for record in records]
    return bool(errors) and len(errors) - 1 - errors.index(min(errors)) >= patience
