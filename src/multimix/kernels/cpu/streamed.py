"""How K mixes of a pair are written at the speed of the memory, on a CPU.

An image is brought into the cache once, a block at a time, and all K mixes of that block are written from there.
Outputs larger than the cache go past it, by streaming stores: a plain store first reads the line that it overwrites,
which is half of the traffic. Compilers do not vectorise streaming stores, so both kinds are spelled out here, a line of
64 bytes at a time; LLVM turns a line into what the processor has.

A kernel takes addresses, not arrays: unpacking five arrays would cost more than mixing a small batch.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from torch import Tensor

from multimix.kernels.cpu.indices import check_rows, instruction, reader
from multimix.kernels.threads import kernel, over_pairs, threads_by_bytes

LINE = 64  # bytes: a cache line, and the alignment that streaming stores need
BLOCK = 8192  # bytes of an image handled at a time: sample, partner and scratch fit a first-level cache of 32 KiB
STREAM_BYTES = 2 * 2**20  # outputs from this size on go past the cache: a training step leaves nothing of them in it
FRESH_BYTES = 32 * 2**20  # new outputs from this size on do not: the system gives them pages just zeroed, in the cache
ONE = {torch.float32: np.float32(1), torch.float64: np.float64(1)}  # its type is the type that a kernel computes in

Function = TypeVar("Function", bound=Callable[..., Any])


def lerp_rows(x: Tensor, sample: Tensor, partner: Tensor, weight: Tensor, out: Tensor, fresh: bool = False) -> None:
    """Write `out[k, i] = w x[sample[i]] + (1 - w) x[partner[i]]`, with w = `weight[k, i]`.

    Rounds as the two products and their sum do in PyTorch. At w = 1 and w = 0 one image is copied and the other does
    not enter, whatever it holds.

    Args:
        x: (B, ...), contiguous, float32 or float64.
        sample: (P,), long.
        partner: (P,), or (K, P) for a partner per mix; long.
        weight: (K, P), float32.
        out: (K, P, ...), contiguous, of x's dtype, sharing no memory with x.
        fresh: whether out was allocated for this call.

    Raises:
        IndexError: A sample or a partner is no row of x. Nothing has been written then.
    """
    sample, partner, weight = sample.contiguous(), partner.contiguous(), weight.contiguous()
    check_rows(len(x), sample, partner)
    mixes, pairs = weight.shape
    bytes_each = x.element_size()
    step = pairs if partner.ndim == 2 else 0
    addresses = (x.data_ptr(), sample.data_ptr(), partner.data_ptr(), weight.data_ptr(), out.data_ptr())
    sizes = (mixes, pairs, step, x.numel() // len(x) * bytes_each, bytes_each)
    _run(_lerp, (addresses, sizes, ONE[x.dtype]), pairs, out.nbytes, fresh)


def cut_rows(
    x: Tensor,
    sample: Tensor,
    partner: Tensor,
    low: Tensor,
    high: Tensor,
    out: Tensor,
    fresh: bool = False,
) -> None:
    """Write `x[partner[i]]` inside the box from `low[k, i]` up to, not including, `high[k, i]`; else `x[sample[i]]`.

    Args:
        x: (B, C, *S), contiguous, one to three spatial axes, any dtype.
        sample: (P,), long.
        partner: (P,), or (K, P) for a partner per mix; long.
        low: (K, P, d), integer: the box's first pixel on each of the d spatial axes.
        high: (K, P, d), integer: one past its last pixel. Edges are clipped to the image.
        out: (K, P, C, *S), contiguous, of x's dtype, sharing no memory with x.
        fresh: whether out was allocated for this call.

    Raises:
        IndexError: A sample or a partner is no row of x. Nothing has been written then.
    """
    if low.dtype != torch.int64 or high.dtype != torch.int64:
        low, high = low.long(), high.long()
    sample, partner, low, high = (t.contiguous() for t in (sample, partner, low, high))
    check_rows(len(x), sample, partner)
    mixes, pairs, _, *space = out.shape
    bytes_each = x.element_size()
    depth, height, width = (1, 1, *space)[-3:]
    step = pairs if partner.ndim == 2 else 0
    addresses = (x.data_ptr(), sample.data_ptr(), partner.data_ptr(), low.data_ptr(), high.data_ptr(), out.data_ptr())
    sizes = (mixes, pairs, step, out.stride(1) * bytes_each, len(space), bytes_each)
    _run(_cut, (addresses, sizes, (depth, height, width)), pairs, out.nbytes, fresh)


def _run(kernel: Callable[..., None], arguments: tuple[Any, ...], pairs: int, size: int, fresh: bool) -> None:
    """Run a kernel over all pairs; `size` bytes of output say whether they are streamed, and how many threads pay."""
    stream = size >= STREAM_BYTES and not (fresh and size >= FRESH_BYTES)
    over_pairs(kernel, pairs, threads_by_bytes(pairs, size), *arguments, stream)


def _part(function: Function) -> Function:
    return cast(Function, njit(function))


def _load(builder: Any, address: Any, kind: Any) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=1)


def _store(builder: Any, value: Any, address: Any, stream: bool) -> None:
    pointer = builder.inttoptr(address, value.type.as_pointer())
    stored = builder.store(value, pointer, align=LINE if stream else 1)
    if stream:
        stored.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))


def _copier(width: int, stream: bool = False) -> Callable[..., Any]:
    """Copy `width` bytes."""

    @instruction
    def copy(typing: Any, source: Any, out: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = _load(builder, arguments[0], ir.VectorType(ir.IntType(8), width))
            _store(builder, value, arguments[1], stream)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return copy


def _blender(line: bool, stream: bool = False) -> Callable[..., Any]:
    """Write w x + v partner for one number or a line of them: x itself if v is 0, the partner itself if w is 0."""

    @instruction
    def blend(typing: Any, x: Any, partner: Any, out: Any, w: Any, v: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            w, v = arguments[3:]
            vector = ir.VectorType(w.type, lanes)
            mine, other = (_load(builder, address, vector) for address in arguments[:2])
            mixed = builder.fadd(builder.fmul(spread(builder, w), mine), builder.fmul(spread(builder, v), other))
            zero = ir.Constant(w.type, 0.0)
            mixed = builder.select(builder.fcmp_ordered("==", v, zero), mine, mixed)
            mixed = builder.select(builder.fcmp_ordered("==", w, zero), other, mixed)
            _store(builder, mixed, arguments[2], stream)
            return context.get_dummy_value()

        def spread(builder: Any, number: Any) -> Any:
            index = ir.VectorType(ir.IntType(32), lanes)
            empty = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
            first = builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))
            return builder.shuffle_vector(first, empty, ir.Constant(index, None))

        lanes = LINE * 8 // w.bitwidth if line else 1
        return types.void(types.int64, types.int64, types.int64, w, v), generate

    return blend


@instruction
def _fence(typing: Any) -> Any:
    """Let other threads see what was streamed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@instruction
def _scratch(typing: Any) -> Any:
    """Return the address of BLOCK bytes on the stack."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        with builder.goto_entry_block():
            room = builder.alloca(ir.ArrayType(ir.IntType(8), BLOCK))
        room.align = LINE
        return builder.ptrtoint(room, ir.IntType(64))

    return types.int64(), generate


_integer, _single = reader(types.int64), reader(types.float32)
_copy_1, _copy_4, _copy_16, _copy_line = _copier(1), _copier(4), _copier(16), _copier(LINE)
_blend_1, _blend_line = _blender(line=False), _blender(line=True)
_stream_copy_line, _stream_blend_line = _copier(LINE, stream=True), _blender(line=True, stream=True)


@_part
def _whole_lines(out: int, size: int) -> tuple[int, int]:
    first = min(-out % LINE, size)
    return first, first + (size - first) // LINE * LINE


@_part
def _blend(places: tuple[int, int, int], size: int, each: int, weights: tuple[Any, Any], stream: bool) -> None:
    """Blend `size` bytes. Whole lines may be streamed; numbers before and after them go one by one."""
    x, partner, out = places
    w, v = weights
    first, last = _whole_lines(out, size)
    for at in range(0, first, each):
        _blend_1(x + at, partner + at, out + at, w, v)
    if stream:
        for at in range(first, last, LINE):
            _stream_blend_line(x + at, partner + at, out + at, w, v)
    else:
        for at in range(first, last, LINE):
            _blend_line(x + at, partner + at, out + at, w, v)
    for at in range(last, size, each):
        _blend_1(x + at, partner + at, out + at, w, v)


@kernel
def _lerp(start: int, stop: int, addresses: tuple[int, ...], sizes: tuple[int, ...], one: Any, stream: bool) -> None:
    x, sample, partner, weight, out = addresses
    mixes, pairs, step, row, each = sizes
    for i in range(start, stop):
        mine = x + _integer(sample, i) * row
        for at in range(0, row, BLOCK):
            for k in range(mixes):
                other = x + _integer(partner, k * step + i) * row
                w = one * _single(weight, k * pairs + i)
                places = (mine + at, other + at, out + (k * pairs + i) * row + at)
                _blend(places, min(BLOCK, row - at), each, (w, one - w), stream)
    _fence()


@_part
def _copy(source: int, out: int, size: int) -> None:
    """Copy `size` bytes. The last piece may overlap the one before: boxes have short lines of any length."""
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


@_part
def _stream(source: int, out: int, size: int) -> None:
    first, last = _whole_lines(out, size)
    _copy(source, out, first)
    for at in range(first, last, LINE):
        _stream_copy_line(source + at, out + at)
    _copy(source + last, out + last, size - last)


@_part
def _edges(address: int, box: int, axes: int, space: tuple[int, int, int], missing: int) -> tuple[int, int, int]:
    """Return the edges of a box on three axes, clipped to the image; `missing` on the axes that it does not have."""
    z = _integer(address, box * axes + axes - 3) if axes > 2 else missing
    y = _integer(address, box * axes + axes - 2) if axes > 1 else missing
    x = _integer(address, box * axes + axes - 1)
    return min(max(z, 0), space[0]), min(max(y, 0), space[1]), min(max(x, 0), space[2])


@_part
def _paste(
    image: int, out: int, part: tuple[int, int], low: tuple[int, int, int], high: tuple[int, int, int], strides: Any
) -> None:
    """Copy a box from an image to `out`, as far as it lies in the bytes from `part[0]` up to `part[1]`."""
    begin, end = part
    depth, plane, line, each = strides
    for q in range(begin // plane, (end - 1) // plane + 1):
        if low[0] <= q % depth < high[0]:
            first = max(low[1], (begin - q * plane) // line)
            last = min(high[1], (end - 1 - q * plane) // line + 1)
            for h in range(first, last):
                left = max(q * plane + h * line + low[2] * each, begin)
                right = min(q * plane + h * line + high[2] * each, end)
                if left < right:
                    _copy(image + left, out + left - begin, right - left)


@kernel
def _cut(
    start: int, stop: int, addresses: tuple[int, ...], sizes: tuple[int, ...], space: tuple[int, int, int], stream: bool
) -> None:
    x, sample, partner, low, high, out = addresses
    mixes, pairs, step, row, axes, each = sizes
    strides = (space[0], space[1] * space[2] * each, space[2] * each, each)
    scratch = _scratch()
    for i in range(start, stop):
        mine = x + _integer(sample, i) * row
        for at in range(0, row, BLOCK):
            part = (at, min(at + BLOCK, row))
            for k in range(mixes):
                box = k * pairs + i
                target = out + box * row + at
                place = scratch if stream else target
                _copy(mine + at, place, part[1] - at)
                other = x + _integer(partner, k * step + i) * row
                first, last = _edges(low, box, axes, space, 0), _edges(high, box, axes, space, 1)
                _paste(other, place, part, first, last, strides)
                if stream:
                    _stream(place, target, part[1] - at)
    _fence()
