"""Triton programs of `gpu.kernels`, which says what they do, and runs each on as many tiles as there are.

Pointers end in `_ptr`, what is in capitals is known when a program is compiled, and a name that ends in `_row` is how
many elements a row lies behind the one before.
"""

import triton
import triton.language as tl

LEAST = tl.constexpr(1e-30)
"""As `retrieval.matching.lightglue.attention.LEAST`."""


@triton.jit
def rotate(
    qkv_ptr, angle_ptr, rows,
    WIDTH: tl.constexpr, HALF: tl.constexpr, TURNED: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    row, channel = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64), tl.arange(0, PADDED)
    inside = (row < rows)[:, None] & (channel < TURNED)[None, :]
    place = qkv_ptr + row[:, None] * WIDTH + (channel // HALF * 2 * HALF + channel % HALF)[None, :]
    angle = angle_ptr + row[:, None] * 2 * HALF + 2 * (channel % HALF)[None, :]
    cos, sin = tl.load(angle, mask=inside, other=0.0), tl.load(angle + 1, mask=inside, other=0.0)
    x = tl.load(place, mask=inside, other=0.0).to(tl.float32)
    y = tl.load(place + HALF, mask=inside, other=0.0).to(tl.float32)
    tl.store(place, (x * cos - y * sin).to(qkv_ptr.dtype.element_ty), mask=inside)
    tl.store(place + HALF, (x * sin + y * cos).to(qkv_ptr.dtype.element_ty), mask=inside)


@triton.jit
def norm_gelu(
    hidden_ptr, scale_ptr, shift_ptr, rows, eps, WIDTH: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr
):
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    column = tl.arange(0, PADDED)
    place = hidden_ptr + row[:, None] * WIDTH + column[None, :]
    inside = (row < rows)[:, None] & (column < WIDTH)[None, :]
    value = tl.load(place, mask=inside, other=0.0).to(tl.float32)
    apart = tl.where((column < WIDTH)[None, :], value - (tl.sum(value, 1) / WIDTH)[:, None], 0.0)
    narrow = tl.rsqrt(tl.sum(apart * apart, 1) / WIDTH + eps)
    scale = tl.load(scale_ptr + column, mask=column < WIDTH, other=0.0).to(tl.float32)
    shift = tl.load(shift_ptr + column, mask=column < WIDTH, other=0.0).to(tl.float32)
    value = apart * narrow[:, None] * scale[None, :] + shift[None, :]
    # GELU(x) is max(x, 0) less |x| Φ(-|x|), whose logarithm is nearly a polynomial; within 3e-6 of it up to |x| = 6
    large = tl.abs(value)
    log_tail = 0.00849413052 + large * (-0.000926108832 + large * (6.09124891e-05 - 1.79378617e-06 * large))
    log_tail = -0.458479552 + large * (-0.0539387277 + large * log_tail)
    log_tail = -0.999995497 + large * (-1.15124716 + large * log_tail)
    value = tl.maximum(value, 0.0) - large * tl.exp2(log_tail)
    tl.store(place, value.to(hidden_ptr.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["m", "n"])  # else every number of keypoints is compiled for
def attend(
    query_ptr, key_ptr, value_ptr, out_ptr, m, n,
    query_pair, query_head, query_row, key_pair, key_head, key_row, value_pair, value_head, value_row,
    out_pair, out_row,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, PADDED: tl.constexpr, EVEN: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    blocks = tl.cdiv(m, ROWS)
    row, channel = tl.program_id(0) % blocks * ROWS + tl.arange(0, ROWS), tl.arange(0, PADDED)
    pair, head = (tl.program_id(0) // blocks // HEADS).to(tl.int64), tl.program_id(0) // blocks % HEADS
    inside = (row < m)[:, None] & (channel < CHANNELS)[None, :]
    place = query_ptr + pair * query_pair + head * query_head + row[:, None] * query_row + channel[None, :]
    query = tl.load(place, mask=inside, other=0.0)
    keys = key_ptr + pair * key_pair + head * key_head
    values = value_ptr + pair * value_pair + head * value_head
    largest = tl.zeros((ROWS,), tl.float32)
    total, gathered = _weigh(
        query, keys, values, largest, n, key_row, value_row, CHANNELS, PADDED, EVEN, False, ROWS, COLUMNS
    )
    if (tl.min(total) < LEAST) | (tl.max(total) > 1 / LEAST):
        largest = _largest(query, keys, n, key_row, CHANNELS, PADDED, ROWS, COLUMNS)
        total, gathered = _weigh(
            query, keys, values, largest, n, key_row, value_row, CHANNELS, PADDED, EVEN, True, ROWS, COLUMNS
        )
    gathered = gathered / total[:, None]
    place = out_ptr + pair * out_pair + row[:, None] * out_row + head * CHANNELS + channel[None, :]
    tl.store(place, gathered.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _weigh(
    query, keys, values, largest, n, key_row, value_row,
    CHANNELS: tl.constexpr, PADDED: tl.constexpr, EVEN: tl.constexpr, LOWERED: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Sums of exponentials, and of values by these weights; LOWERED: of similarities less the largest."""
    column, channel = tl.arange(0, COLUMNS), tl.arange(0, PADDED)
    whole: tl.constexpr = EVEN and PADDED == CHANNELS
    total, gathered = tl.zeros((ROWS,), tl.float32), tl.zeros((ROWS, PADDED), tl.float32)
    for at in range(0, n, COLUMNS):
        row = at + column
        inside = (row < n)[:, None] & (channel < CHANNELS)[None, :]
        place = keys + row[:, None] * key_row + channel[None, :]
        key = tl.load(place) if whole else tl.load(place, mask=inside, other=0.0)
        similarity = tl.dot(query, key.T)
        weight = tl.exp2(similarity - largest[:, None]) if LOWERED else tl.exp2(similarity)
        if not EVEN:
            weight = tl.where((row < n)[None, :], weight, 0.0)
        total += tl.sum(weight, 1)
        place = values + row[:, None] * value_row + channel[None, :]
        value = tl.load(place) if whole else tl.load(place, mask=inside, other=0.0)
        gathered = tl.dot(weight.to(value.dtype), value, gathered)
    return total, gathered


@triton.jit
def _largest(
    query, keys, n, key_row,
    CHANNELS: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    column, channel = tl.arange(0, COLUMNS), tl.arange(0, PADDED)
    largest = tl.full((ROWS,), float("-inf"), tl.float32)
    for at in range(0, n, COLUMNS):
        row = at + column
        inside = (row < n)[:, None] & (channel < CHANNELS)[None, :]
        key = tl.load(keys + row[:, None] * key_row + channel[None, :], mask=inside, other=0.0)
        similarity = tl.where((row < n)[None, :], tl.dot(query, key.T), float("-inf"))
        largest = tl.maximum(largest, tl.max(similarity, 1))
    return largest


@triton.jit
def similar(
    first_ptr, second_ptr, bias_ptr, out_ptr, m, n,
    WIDTH: tl.constexpr, BIASED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    across = tl.cdiv(n, COLUMNS)
    tiles = tl.cdiv(m, ROWS) * across
    pair, tile = (tl.program_id(0) // tiles).to(tl.int64), tl.program_id(0) % tiles
    row = (tile // across * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    column, depth = tile % across * COLUMNS + tl.arange(0, COLUMNS), tl.arange(0, DEPTH)
    first, second = first_ptr + pair * m * WIDTH, second_ptr + pair * n * WIDTH
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for at in range(0, WIDTH, DEPTH):
        real = (at + depth < WIDTH)[None, :]
        a = tl.load(first + row[:, None] * WIDTH + at + depth[None, :], mask=(row < m)[:, None] & real, other=0.0)
        b = tl.load(
            second + column[:, None] * WIDTH + at + depth[None, :], mask=(column < n)[:, None] & real, other=0.0
        )
        total = tl.dot(a, b.T, total, input_precision="tf32x3")
    if BIASED:
        total += tl.load(bias_ptr + column, mask=column < n, other=0.0)[None, :]
    place = out_ptr + pair * m * n + row[:, None] * n + column[None, :]
    tl.store(place, total, mask=(row < m)[:, None] & (column < n)[None, :])


@triton.jit
def log_sum(similarity_ptr, out_ptr, kept, summed, kept_step, summed_step, KEPT: tl.constexpr, SUMMED: tl.constexpr):
    blocks = tl.cdiv(kept, KEPT)
    pair = (tl.program_id(0) // blocks).to(tl.int64)
    row, column = tl.program_id(0) % blocks * KEPT + tl.arange(0, KEPT), tl.arange(0, SUMMED)
    largest = tl.full((KEPT,), float("-inf"), tl.float32)
    total = tl.zeros((KEPT,), tl.float32)
    for at in range(0, summed, SUMMED):
        there = (row < kept)[:, None] & (at + column < summed)[None, :]
        place = similarity_ptr + pair * kept * summed + row[:, None] * kept_step + (at + column)[None, :] * summed_step
        value = tl.load(place, mask=there, other=float("-inf"))
        larger = tl.where(row < kept, tl.maximum(largest, tl.max(value, 1)), 0.0)
        total = total * tl.exp(largest - larger) + tl.sum(tl.exp(value - larger[:, None]), 1)
        largest = larger
    total = tl.where(row < kept, total, 1.0)
    tl.store(out_ptr + pair * kept + row, largest + tl.log(total), mask=row < kept)


@triton.jit
def favourite(
    similarity_ptr, other_ptr, value_ptr, place_ptr, kept, sought, kept_step, sought_step,
    KEPT: tl.constexpr, SOUGHT: tl.constexpr,
):  # fmt: skip
    blocks = tl.cdiv(kept, KEPT)
    pair = (tl.program_id(0) // blocks).to(tl.int64)
    row, column = tl.program_id(0) % blocks * KEPT + tl.arange(0, KEPT), tl.arange(0, SOUGHT)
    best = tl.full((KEPT,), float("-inf"), tl.float32)
    where = tl.zeros((KEPT,), tl.int32)
    for at in range(0, sought, SOUGHT):
        there = (row < kept)[:, None] & (at + column < sought)[None, :]
        place = similarity_ptr + pair * kept * sought + row[:, None] * kept_step + (at + column)[None, :] * sought_step
        other = tl.load(other_ptr + pair * sought + at + column, mask=at + column < sought, other=0.0)
        value = 2.0 * tl.load(place, mask=there, other=float("-inf")) + other[None, :]
        most, first = tl.max(value, 1, return_indices=True, return_indices_tie_break_left=True)
        where = tl.where(most > best, at + first, where)
        best = tl.maximum(most, best)
    tl.store(value_ptr + pair * kept + row, best, mask=row < kept)
    tl.store(place_ptr + pair * kept + row, where.to(tl.int64), mask=row < kept)
