"""How the rows of a question are cut into blocks, and how many blocks are computed at a time.

A processor's threads can share the operations of one block, or each compute a block of its own. The
second wastes less: no thread waits for another at the end of each operation, and one that is held
up, by a server's work say, holds up nobody else. It takes TensorFlow's threads away from whatever
else this process does with it, so that it has to be asked for (`CompileSpec.parallel_batches`).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import log2
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pellucid.runtime.engine.denormals import flush_denormals

Block = TypeVar("Block")
Answer = TypeVar("Answer")

# A block has at most so many bytes of activations, or 16 rows, or 4, while they stay below the
# second and the third number: larger ones leave the processor's caches, smaller ones do not pay for
# the call. That of a large network costs nothing beside its rows: a pass of EfficientNet-Lite0, of
# 39 MB, takes a third less in blocks of 4 than of 16, and a gradient a fifth.
CPU_BYTES = 2**26, 2**27, 2**30
GPU_BYTES = 2**32, 2**32, 2**32
FEW_ROWS, FEWEST_ROWS, MAX_ROWS = 16, 4, 4096
SHARES = 4
"""More blocks than one are a multiple of so many, so that no thread is without one at the end."""


@dataclass(frozen=True, slots=True)
class RowBatches:
    """The rows of a block, and how many blocks are computed at a time."""

    rows: int
    parallel_batches: int


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parallel_batches_here() -> int:
    """How many blocks a program of its own computes at a time.

    Whoever limits the threads of TensorFlow's operations (``TF_NUM_INTRAOP_THREADS``) means these.
    """
    written = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return int(written) if written.isdecimal() and int(written) else cores()


def row_batches_of(
    row_bytes: int, parallel_batches: int, *, gpu: bool, fixed: int | None = None
) -> RowBatches:
    """Return how to cut rows that take `row_bytes` each, forward and back.

    `parallel_batches` is how many may be; all blocks computed at a time have the memory that one
    block may have. `fixed` is the number of rows that the model insists on. The rows of a block do
    not depend on it, so that no bit of a result does.
    """
    good, near, most = GPU_BYTES if gpu else CPU_BYTES
    few = max(min(FEW_ROWS, near // row_bytes), min(FEWEST_ROWS, most // row_bytes))
    rows = fixed or max(1, good // row_bytes, few)
    if fixed is None:
        rows = min(2 ** int(log2(rows)), MAX_ROWS)
    return RowBatches(rows, 1 if gpu else max(1, min(parallel_batches, most // (rows * row_bytes))))


@dataclass(frozen=True, slots=True)
class Rows:
    """The numbers of a block's rows; `count` of them count, the others fill it up."""

    rows: NDArray[np.intp]
    count: int


def blocks(total: int, size: int, fixed: int | None = None) -> Iterator[Rows]:
    """Yield the rows of each block, at most `size` of them that count.

    A block of a `fixed` number of rows is filled up with repeats of its last one.
    """
    ends = [*range(0, total, size), total] if fixed else cuts(total, size)
    for first, last in pairwise(ends):
        filled = np.arange(first, first + (fixed or last - first))
        yield Rows(np.minimum(filled, last - 1), last - first)


def used(numbers: NDArray[np.intp]) -> tuple[slice | NDArray[np.intp], NDArray[np.intp]]:
    """Return which of many things a block needs, and the place of each of its rows among these."""
    if (np.diff(numbers) >= 0).all():
        return slice(numbers[0], numbers[-1] + 1), numbers - numbers[0]
    return np.unique(numbers, return_inverse=True)


def cuts(total: int, rows: int) -> list[int]:
    """Return where to cut `total` rows into blocks of about the same size, at most `rows` each."""
    count = -(-total // rows)
    if count > 1:
        count = min(total, -(-count // SHARES) * SHARES)
    return [0, *(total * i // count for i in range(1, count + 1))]


@cache
def threads_flush() -> bool:
    """Whether a thread of ours computes as TensorFlow's own threads do, so that it can be one."""
    with parallel_batches_of(1) as pool:
        return pool.submit(flush_denormals).result()


def parallel_batches_of(count: int) -> ThreadPoolExecutor:
    """Return threads that compute blocks."""
    return ThreadPoolExecutor(count, "pellucid-batch", initializer=flush_denormals)


def side_by_side(
    blocks: Iterable[Block],
    answer: Callable[[Block], Answer],
    pool: ThreadPoolExecutor,
    parallel_batches: int,
) -> Iterator[tuple[Block, Answer]]:
    """Yield each block with its answer, in order; so many of them are computed at a time."""
    waiting: deque[tuple[Block, Future[Answer]]] = deque()
    try:
        for block in blocks:
            waiting.append((block, pool.submit(answer, block)))
            if len(waiting) > parallel_batches:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        # After a failure nothing goes on behind the back of whoever tries something else.
        for _, future in waiting:
            future.cancel()
        wait([future for _, future in waiting])
