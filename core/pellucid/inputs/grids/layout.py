"""Where the cells of an array are in its JSON, and which brackets and commas stand in each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from pellucid.model import Array

WORD = 8
"""The bytes of cells, and of what is before a row, are multiples of it."""
LEAST = 2**13
"""Arrays of fewer numbers gain nothing."""
_CHANNELS = 4
_PART_BYTES = 2**19
"""So many bytes of cells, three times over, stay in a processor's own cache."""


@dataclass(frozen=True)
class Layout:
    """The cells of an array of a shape: the numbers of its last axis where they are few, or one.

    A cell is written as brackets that open, its numbers with commas between, brackets that close,
    and the comma before the next cell.
    """

    shape: tuple[int, ...]
    numbers: int = field(init=False)

    def __post_init__(self) -> None:
        last = self.shape[-1]
        object.__setattr__(self, "numbers", last if last <= _CHANNELS else 1)

    @staticmethod
    def takes(shape: Sequence[int | None] | None) -> bool:
        """Whether arrays of a shape are large enough, and known in their size."""
        if not shape or any(not size for size in shape):
            return False
        return math.prod(size or 0 for size in shape) >= LEAST

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return math.prod(self.shape) // self.numbers

    @cached_property
    def opening(self) -> Array:
        """How many brackets open before each cell, int [cells]."""
        return self._at(0)

    @cached_property
    def closing(self) -> Array:
        """How many brackets close after each cell, int [cells]."""
        return self._at(self.numbers)

    def _at(self, offset: int) -> Array:
        """Return how many axes begin, or end, at the first number of each cell, or at its last."""
        place = np.arange(self.cells) * self.numbers + offset
        count = np.zeros(self.cells, np.intp)
        size = 1
        for axis in reversed(self.shape):
            size *= axis
            count += place % size == 0
        return count

    @cached_property
    def marks(self) -> Array:
        """The brackets and commas of each cell, bytes [cells]; none follows the last."""
        found = np.empty(self.cells, object)
        kinds: dict[tuple[int, int], bytes] = {}
        pairs = zip(self.opening.tolist(), self.closing.tolist(), strict=True)
        for cell, (before, after) in enumerate(pairs):
            if (before, after) not in kinds:
                kinds[before, after] = b"[" * before + b"," * (self.numbers - 1) + b"]" * after
            found[cell] = kinds[before, after]
        found[:-1] += b","
        return found

    def parts(self, size: int) -> list[slice]:
        """Return the cells, of `size` bytes each, in parts of which several stay in a cache."""
        count = max(1, round(self.cells * size / _PART_BYTES))
        ends = [self.cells * i // count for i in range(count + 1)]
        return [*map(slice, ends, ends[1:])]

    def cell_bytes(self, longest: int) -> int:
        """Return how many bytes each cell needs for numbers of at most `longest` characters."""
        marks = int(np.max(self.opening + self.closing)) + self.numbers
        return -(-(marks + self.numbers * longest) // WORD) * WORD
