"""Which rows of the batch a kernel reads: checked before anything is read or written.

Like the kernels that write at the speed of the memory, this one takes addresses: unpacking arrays takes longer than it.
"""

from collections.abc import Callable
from typing import Any, cast

from numba import types
from numba.extending import intrinsic
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
    if not _are_rows(sample.data_ptr(), sample.numel(), partner.data_ptr(), partner.numel(), rows):
        raise IndexError("every sample and every partner must be a row of x")


def instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return an instruction spelled out for the compiler."""
    return cast(Callable[..., Any], intrinsic(function))


def reader(kind: Any) -> Callable[..., Any]:
    """Return the number at an index behind an address."""

    @instruction
    def read(typing: Any, address: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], context.get_value_type(kind).as_pointer())
            return builder.load(builder.gep(pointer, [arguments[1]]))

        return kind(types.int64, types.int64), generate

    return read


_integer = reader(types.int64)


@kernel
def _are_rows(sample: int, pairs: int, partner: int, partners: int, rows: int) -> bool:
    fine = True
    for i in range(pairs):
        fine &= 0 <= _integer(sample, i) < rows
    for i in range(partners):
        fine &= 0 <= _integer(partner, i) < rows
    return fine
