"""Which rows of the batch a kernel reads: checked before anything is read or written."""

from typing import Any

from torch import Tensor

from multimix.kernels.threads import kernel


def check_rows(rows: int, sample: Tensor, partner: Tensor) -> None:
    """Refuse samples and partners that are no row: a kernel would read other memory.

    Args:
        rows: number of rows of the batch.
        sample: long, contiguous.
        partner: long, contiguous.

    Raises:
        IndexError: One of them is no row.
    """
    if not _are_rows(sample.numpy(), partner.view(-1).numpy(), rows):
        raise IndexError("every sample and every partner must be a row of x")


@kernel
def _are_rows(sample: Any, partner: Any, rows: int) -> bool:
    fine = True
    for i in sample:
        fine &= 0 <= i < rows
    for i in partner:
        fine &= 0 <= i < rows
    return fine
