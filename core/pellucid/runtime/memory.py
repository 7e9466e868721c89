"""Whether rows fit the memory, said before they are asked: a process that takes too much is killed.

What rows take is estimated from the operations of the network (`engine.kept_bytes`): .86 to 1.02 of
what was measured, on three convolutional networks of pictures of 1,500 to 4,000 pixels a side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from pellucid.errors import OutOfMemoryError
from pellucid.model import Tensors
from pellucid.runtime.backends.base import Backend
from pellucid.runtime.engine.row_batches import RowBatches, row_batches_of

# TensorFlow's allocator keeps what it was given in pieces, not all of which fit again (measured).
PIECES_FORWARD, PIECES_BOTH = 1.5, 1.25
COPIES = 9
"""Of inputs: ends of a path, and, in twice the bytes, sums, gradients and attributions."""


@dataclass(frozen=True, slots=True)
class Needed:
    """How many bytes a question takes: whatever its blocks, and for each row of one."""

    held: int
    row: int

    def of(self, cut: RowBatches) -> int:
        """All of it, where rows are cut so."""
        return self.held + self.row * cut.rows * cut.parallel_batches


class Memory:
    """What is free, and what rows have been found to fit."""

    def __init__(self, free: Callable[[], int | None]) -> None:
        self._free = free
        self._fitted = 0  # once taken, TensorFlow keeps it, and it is free for the same again

    def cut(
        self, backend: Backend, cut: RowBatches, x: Tensors, *, rows: int, gradients: bool
    ) -> RowBatches:
        """Return how to cut `rows` rows of operands like those of `x` [n, …], as `cut` or smaller.

        Raises OutOfMemoryError if a single row does not fit.
        """
        cut, needed = _limited(backend, cut, x), _needed(backend, x, gradients=gradients)
        if needed is None:
            return cut
        fixed = backend.compile_spec.batch.rows
        few = RowBatches(fixed or min(cut.rows, max(rows, 1)), cut.parallel_batches)
        if needed.of(few) <= self._fitted:
            return cut
        free = self._free()
        if free is None or needed.of(few) <= free:
            self._fitted = max(self._fitted, needed.of(few)) if free is not None else 0
            return cut
        few = RowBatches(few.rows, 1)
        while needed.of(few) > free and few.rows > 1 and not fixed:
            few = RowBatches(few.rows // 2, 1)
        if needed.of(few) > max(free, self._fitted):
            raise _refusal(backend, x, needed.of(few), free, gradients=gradients)
        return few


def _limited(backend: Backend, cut: RowBatches, x: Tensors) -> RowBatches:
    """Return how to cut rows where `cut` took operands of no known size for small pictures."""
    if all(o.shape is not None and None not in o.shape for o in backend.operands):
        return cut
    peak = None if backend.compile_spec.batch.rows else backend.peak(x)
    if peak is None:
        return cut
    here = row_batches_of(max(peak.both, 1), cut.parallel_batches, gpu=False)
    return RowBatches(min(cut.rows, here.rows), min(cut.parallel_batches, here.parallel_batches))


def _needed(backend: Backend, x: Tensors, *, gradients: bool) -> Needed | None:
    """Return what the question takes, None if that is not known."""
    peak = backend.peak(x)
    if peak is None:
        return None
    count = len(next(iter(x.values())))
    given = sum(x[o.name].nbytes for o in backend.operands if o.real)
    if gradients:
        return Needed(COPIES * given, int(PIECES_BOTH * peak.both))
    return Needed(given // max(count, 1), int(PIECES_FORWARD * peak.forward))


def _refusal(
    backend: Backend, x: Tensors, needed: int, free: int, *, gradients: bool
) -> OutOfMemoryError:
    what = "its gradient" if gradients else "it"
    what = f"{what} takes about {_gigabytes(needed)} of memory, and {_gigabytes(free)} are free"
    pictures = [o for o in backend.operands if o.explained and len(o.shape or ()) == 3]
    if not pictures:
        return OutOfMemoryError(what)
    name, shape = pictures[0].name, pictures[0].shape or ()
    sides = x[name].shape[1:3] if shape[-1] is not None else x[name].shape[2:4]
    if shape.count(None) == 2:
        share = math.sqrt(0.9 * free / needed)
        fits = " × ".join(f"{_rounded(side * share):,}" for side in sides)
        return OutOfMemoryError(what, hint=f"make it smaller first: {fits} pixels would fit")
    size = " × ".join(f"{side:,}" for side in sides)
    hint = f"the model takes pictures of {size} pixels and no others: free memory for one"
    other = _needed(backend, x, gradients=False) if gradients else None
    if other is not None and other.of(RowBatches(1, 1)) <= free:
        hint += (
            ", or take a method without gradients, which needs about "
            f"{_gigabytes(other.of(RowBatches(1, 1)))}"
        )
    return OutOfMemoryError(what, hint=hint)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def _rounded(side: float) -> int:
    """Return a number of pixels that is not larger, and round where it is large."""
    step = 10 if side >= 100 else 1
    return max(1, int(side // step * step))
