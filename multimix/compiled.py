"""How K mixes of a pair are written at the speed of the memory, on a CPU.

Every image is brought into the cache once, a block at a time, and all K mixes of that block are written from there. Outputs
larger than the cache go past it (streaming stores): a plain store first reads the line that it overwrites, half of the traffic.
Addresses are handed over as integers, because numba needs 5 µs to unpack the arrays of a call and 1 µs for integers.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from torch import Tensor

LINE = 64  # bytes: a cache line, and the alignment that streaming stores need
BLOCK = 8192  # bytes of an image handled at a time: sample, partner and scratch share a first-level cache of 32 KiB
STREAM_BYTES = 16 * 2**20  # outputs from this size on are not kept in the cache
THREAD_BYTES = (
    4 * 2**20
)  # outputs below this size are written (0.4 ms) before a second thread would have paid for its start
ONE = {torch.float32: np.float32(1), torch.float64: np.float64(1)}  # tells numba the type to compute in


Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def _reader(kind: Any) -> Any:
    """The number at an index behind an address."""

    @intrinsic
    def read(typing: Any, address: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], context.get_value_type(kind).as_pointer())
            return builder.load(builder.gep(pointer, [arguments[1]]))

        return kind(types.int64, types.int64), generate

    return read


_read_int64, _read_float32 = _reader(types.int64), _reader(types.float32)


def _vector(builder: Any, address: Any, kind: Any) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=1)


def _store(builder: Any, value: Any, address: Any, stream: bool) -> None:
    pointer = builder.inttoptr(address, value.type.as_pointer())
    stored = builder.store(value, pointer, align=LINE if stream else 1)
    if stream:
        stored.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))


def _blender(line: bool, stream: bool) -> Any:
    """out = w x + v partner for a line or a single number: x itself if v is 0, the partner itself if w is 0."""

    @intrinsic
    def blend(typing: Any, x: Any, partner: Any, out: Any, w: Any, v: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            width = LINE * 8 // w.bitwidth if line else 1
            vector = ir.VectorType(arguments[3].type, width)
            lanes = ir.Constant(ir.VectorType(ir.IntType(32), width), None)
            none = ir.Constant(vector, ir.Undefined)
            scalars = [builder.insert_element(none, scalar, ir.Constant(ir.IntType(32), 0)) for scalar in arguments[3:]]
            mine, other = (_vector(builder, address, vector) for address in arguments[:2])
            shares = [builder.shuffle_vector(scalar, none, lanes) for scalar in scalars]
            mixed = builder.fadd(builder.fmul(shares[0], mine), builder.fmul(shares[1], other))
            zero = ir.Constant(arguments[3].type, 0.0)
            mixed = builder.select(builder.fcmp_ordered("==", arguments[4], zero), mine, mixed)
            mixed = builder.select(builder.fcmp_ordered("==", arguments[3], zero), other, mixed)
            _store(builder, mixed, arguments[2], stream)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64, w, v), generate

    return blend


def _copier(width: int, stream: bool) -> Any:
    """Copy `width` bytes at once."""

    @intrinsic
    def copy(typing: Any, source: Any, out: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = _vector(builder, arguments[0], ir.VectorType(ir.IntType(8), width))
            _store(builder, value, arguments[1], stream)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return copy


@intrinsic
def _fence(typing: Any) -> Any:
    """Streamed lines are visible to other threads after this."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _scratch(typing: Any) -> Any:
    """The address of BLOCK bytes on the stack."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        with builder.goto_entry_block():
            room = builder.alloca(ir.ArrayType(ir.IntType(8), BLOCK))
        room.align = LINE
        return builder.ptrtoint(room, ir.IntType(64))

    return types.int64(), generate


_blend_one, _blend_line, _blend_stream = _blender(False, False), _blender(True, False), _blender(True, True)
_copy_1, _copy_4, _copy_16, _copy_line, _copy_stream = (
    _copier(*c) for c in [(1, 0), (4, 0), (16, 0), (64, 0), (64, 1)]
)


def _jit(function: Kernel) -> Kernel:
    """Compile at the first call, once per machine where a folder for it can be written, else once per process."""
    try:
        return njit(nogil=True, cache=True)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return njit(nogil=True)(function)  # type: ignore[no-any-return]


def _are_rows(index: int, count: int, rows: int) -> bool:
    for i in range(count):
        if not 0 <= _read_int64(index, i) < rows:
            return False
    return True


def _blend(x: int, partner: int, out: int, size: int, w: Any, v: Any, item: int, stream: int) -> None:
    """Blend `size` bytes."""
    first = min(-out % LINE, size) if stream else 0
    last = first + (size - first) // LINE * LINE
    for at in range(0, first, item):
        _blend_one(x + at, partner + at, out + at, w, v)
    if stream:
        for at in range(first, last, LINE):
            _blend_stream(x + at, partner + at, out + at, w, v)
    else:
        for at in range(first, last, LINE):
            _blend_line(x + at, partner + at, out + at, w, v)
    for at in range(last, size, item):
        _blend_one(x + at, partner + at, out + at, w, v)


def _copy(source: int, out: int, size: int) -> None:
    """Copy `size` bytes; the last piece overlaps the one before."""
    if size >= LINE:
        for at in range(0, size - LINE, LINE):
            _copy_line(source + at, out + at)
        _copy_line(source + size - LINE, out + size - LINE)
    elif size >= 16:
        for at in range(0, size - 16, 16):
            _copy_16(source + at, out + at)
        _copy_16(source + size - 16, out + size - 16)
    elif size >= 4:
        for at in range(0, size - 4, 4):
            _copy_4(source + at, out + at)
        _copy_4(source + size - 4, out + size - 4)
    else:
        for at in range(size):
            _copy_1(source + at, out + at)


def _copy_past_cache(source: int, out: int, size: int) -> None:
    first = min(-out % LINE, size)
    last = first + (size - first) // LINE * LINE
    _copy(source, out, first)
    for at in range(first, last, LINE):
        _copy_stream(source + at, out + at)
    _copy(source + last, out + last, size - last)


_are_rows, _blend, _copy, _copy_past_cache = map(njit, (_are_rows, _blend, _copy, _copy_past_cache))


@_jit
def _lerp(
    x: int,
    sample: int,
    partner: int,
    weight: int,
    out: int,
    rows: int,
    mixes: int,
    pairs: int,
    row: int,
    item: int,
    step: int,
    one: Any,
    start: int,
    stop: int,
    stream: int,
) -> bool:
    if not (_are_rows(sample, pairs, rows) and _are_rows(partner, pairs + step * (mixes - 1), rows)):
        return False
    for i in range(start, stop):
        mine = x + _read_int64(sample, i) * row
        for at in range(0, row, BLOCK):
            size = min(BLOCK, row - at)
            for k in range(mixes):
                other = x + _read_int64(partner, k * step + i) * row
                w = one * _read_float32(weight, k * pairs + i)
                _blend(mine + at, other + at, out + (k * pairs + i) * row + at, size, w, one - w, item, stream)
    _fence()
    return True


@njit
def _paste(image, target, begin, end, low, high, channels, depth, height, width, item):
    """Copy the part of a box that lies in bytes begin to end of an image."""
    line = width * item
    plane = height * line
    for q in range(begin // plane, (end - 1) // plane + 1):
        if low[0] <= q % depth < high[0]:
            first = max(low[1], (begin - q * plane) // line)
            last = min(high[1], (end - 1 - q * plane) // line + 1)
            for h in range(first, last):
                left = max(q * plane + h * line + low[2] * item, begin)
                right = min(q * plane + h * line + high[2] * item, end)
                if left < right:
                    _copy(image + left, target + left - begin, right - left)


@njit
def _edges(edges, box, axes, full, depth, height, width):
    a, b, c = (depth, height, width) if full else (0, 0, 0)
    c = min(max(_read_int64(edges, box * axes + axes - 1), 0), width)
    if axes > 1:
        b = min(max(_read_int64(edges, box * axes + axes - 2), 0), height)
    if axes > 2:
        a = min(max(_read_int64(edges, box * axes), 0), depth)
    return a, b, c


@_jit
def _cut(
    x: int,
    sample: int,
    partner: int,
    low: int,
    high: int,
    out: int,
    rows: int,
    mixes: int,
    pairs: int,
    channels: int,
    depth: int,
    height: int,
    width: int,
    item: int,
    axes: int,
    step: int,
    start: int,
    stop: int,
    stream: int,
) -> bool:
    if not (_are_rows(sample, pairs, rows) and _are_rows(partner, pairs + step * (mixes - 1), rows)):
        return False
    row = channels * depth * height * width * item
    scratch = _scratch()
    for i in range(start, stop):
        mine = x + _read_int64(sample, i) * row
        for at in range(0, row, BLOCK):
            size = min(BLOCK, row - at)
            for k in range(mixes):
                box = k * pairs + i
                other = x + _read_int64(partner, k * step + i) * row
                target = out + box * row + at
                place = scratch if stream else target
                first = _edges(low, box, axes, False, depth, height, width)
                last = _edges(high, box, axes, True, depth, height, width)
                _copy(mine + at, place, size)
                _paste(other, place, at, at + size, first, last, channels, depth, height, width, item)
                if stream:
                    _copy_past_cache(scratch, target, size)
    _fence()
    return True


def lerp_rows(x: Tensor, sample: Tensor, partner: Tensor, weight: Tensor, out: Tensor) -> None:
    """Write `out[k, i] = w x[sample[i]] + (1 - w) x[partner[i]]`, with w = `weight[k, i]`.

    Rounds as the two products and the sum do in PyTorch. At w = 1 and w = 0 the one image is copied and the other never
    enters, whatever it holds.

    Args:
        x: (B, N), contiguous, float32 or float64.
        sample: (P,), long.
        partner: (P,), or (K, P) for a partner per mix, long.
        weight: (K, P), float32.
        out: (K, P, N), contiguous, of x's dtype, sharing no memory with x.

    Raises:
        IndexError: A sample or partner that x does not have. Nothing has been written then.
    """
    one = ONE[x.dtype]
    sample, partner, weight = sample.contiguous(), partner.contiguous(), weight.contiguous()
    mixes, pairs, size = out.shape
    addresses = (x.data_ptr(), sample.data_ptr(), partner.data_ptr(), weight.data_ptr(), out.data_ptr())
    step = pairs if partner.ndim == 2 else 0
    item = x.element_size()
    _over_pairs(_lerp, out, pairs, (*addresses, x.shape[0], mixes, pairs, size * item, item, step, one))


def cut_rows(x: Tensor, sample: Tensor, partner: Tensor, low: Tensor, high: Tensor, out: Tensor) -> None:
    """Write `x[partner[i]]` inside the box from `low[k, i]` up to, not including, `high[k, i]`, and `x[sample[i]]` around it.

    Args:
        x: (B, C, *S), contiguous, one to three spatial axes, any dtype.
        sample: (P,), long.
        partner: (P,), or (K, P) for a partner per mix, long.
        low: (K, P, d), integer: the box's first pixel on each of the d spatial axes.
        high: (K, P, d), integer: one past its last pixel. Edges are clipped to the image.
        out: (K, P, C, *S), contiguous, of x's dtype, sharing no memory with x.

    Raises:
        IndexError: A sample or partner that x does not have. Nothing has been written then.
    """
    sample, partner = sample.contiguous(), partner.contiguous()
    if low.dtype != torch.int64 or high.dtype != torch.int64:
        low, high = low.long(), high.long()
    low, high = low.contiguous(), high.contiguous()
    mixes, pairs, channels, *space = out.shape
    axes = len(space)
    depth, height, width = (1, 1, *space)[-3:]
    step = pairs if partner.ndim == 2 else 0
    addresses = (x.data_ptr(), sample.data_ptr(), partner.data_ptr(), low.data_ptr(), high.data_ptr(), out.data_ptr())
    sizes = (x.shape[0], mixes, pairs, channels, depth, height, width, x.element_size(), axes, step)
    _over_pairs(_cut, out, pairs, (*addresses, *sizes))


def _over_pairs(kernel: Any, out: Tensor, pairs: int, arguments: tuple[int, ...]) -> None:
    """Run a kernel over all pairs, in as many threads as PyTorch would use."""
    size = out.numel() * out.element_size()
    stream = int(size >= STREAM_BYTES)
    threads = min(torch.get_num_threads(), pairs) if size >= THREAD_BYTES else 1
    edges = [pairs * t // threads for t in range(1, threads + 1)]
    parts = [_pool(threads - 1).submit(kernel, *arguments, *ends, stream) for ends in pairwise(edges)]
    fine = kernel(*arguments, 0, edges[0], stream)
    if not all([part.result() for part in parts]) or not fine:
        raise IndexError("every sample and partner must be a row of x")


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="multimix")


# Threads do not survive a fork: the child starts its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
