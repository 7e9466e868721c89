"""Rows read that were written as a grid."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Sequence

import numpy as np
import orjson

from pellucid.errors import InstanceError
from pellucid.inputs.grids.aligned import aligned
from pellucid.inputs.grids.layout import WORD, Layout
from pellucid.inputs.grids.pairs import Pairs
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.tensors import numbers_of
from pellucid.model import Array, Rows

_ROWS = re.compile(rb"\[\s*(?=\[)")
_HEAD, _TAIL = 2**12, 2**8
"""The bytes that may stand before the rows, and after them."""
_WIDEST = 2**9
_NUMBER, _SPACES = b"0123456789+-.eE", b" \t\r\n"
_DIGITS, _MARKS = (np.frombuffer(it, np.uint8) for it in (_NUMBER, b"[],"))
_AS_ZERO = bytes.maketrans(_NUMBER, b"0" * len(_NUMBER))
_WRONG = (b"[,", b",]", b"[]", b"0[", b"]0")
"""What no list of numbers has, where each number is written as zeros."""
_UNBRACKETED = bytes.maketrans(b"[]", b"  ")


class GridReader:
    """Reads the rows of one model's input; any thread may ask it.

    It has an opinion of nothing but a grid of plain numbers: all else is left to whoever reads
    strictly, and says what is wrong.
    """

    def __init__(self, inputs: Sequence[InputInfo]) -> None:
        self._layout = None
        for info in inputs if len(inputs) == 1 else ():
            shape, self._info = info.instance_shape, info
            if info.batch and (info.is_float or info.is_integer) and Layout.takes(shape):
                self._layout = Layout(tuple(size or 0 for size in shape or ()))
        self._lock = threading.Lock()
        self._size = 0
        self._parts: list[tuple[slice, Pairs]] = []

    def read(self, body: memoryview) -> tuple[bytes, Rows] | None:
        """Return a request's JSON with an empty list for its rows, and these.

        None where it is no grid of what the model takes.
        """
        layout = self._layout
        begin = None if layout is None else _ROWS.search(bytes(body[:_HEAD]))
        if layout is None or begin is None:
            return None
        start, size = begin.end(), self._cell_bytes(body[begin.end() :], layout)
        row_bytes = layout.cells * size + WORD
        n = (len(body) - start + WORD) // row_bytes
        end = start + n * row_bytes - WORD
        place = np.frombuffer(body, np.uint8).ctypes.data + start
        if not size or not n or len(body) - end > _TAIL or place % WORD:
            return None
        text = np.frombuffer(body[start:end], np.uint8)
        commas = np.lib.stride_tricks.as_strided(
            text[row_bytes - WORD :], (n - 1, WORD), (row_bytes, 1)
        )
        if commas.tobytes().translate(None, b" ") != b"," * (n - 1):
            return None
        dtype = self._info.array_dtype
        room = aligned(n * math.prod(layout.shape) * dtype.itemsize)
        found = room.view(dtype).reshape(n, *layout.shape)
        with self._lock:
            value_bytes = layout.numbers * found.dtype.itemsize
            if self._size != size:
                self._size = size
                self._parts = [
                    (part, Pairs(part.stop - part.start, size, value_bytes, np.dtype(np.uint64)))
                    for part in layout.parts(size)
                ]
            length = layout.cells * size
            starts = range(0, n * row_bytes, row_bytes)
            cells = [text[first : first + length].view(f"V{size}") for first in starts]
            values = found.reshape(n, -1).view(f"V{value_bytes}")
            for part, pairs in self._parts:
                for row in range(n):
                    if not self._read(pairs, cells[row][part], values[row, part], part, layout):
                        return None
        return bytes(body[:start]) + bytes(body[end:]), Rows({self._info.name: found})

    @staticmethod
    def _cell_bytes(rows: memoryview, layout: Layout) -> int:
        """Return how many bytes there are to the second cell, 0 if that is no size of cells."""
        text, at = bytes(rows[:_WIDEST]), 0
        for _ in range(layout.numbers):
            at = text.find(b",", at) + 1
            if not at:
                return 0
        size = len(text) - len(text[at:].lstrip(b" "))
        return size if size % WORD == 0 and size < _WIDEST else 0

    def _read(self, pairs: Pairs, cells: Array, into: Array, part: slice, layout: Layout) -> bool:
        """Write the numbers of some cells where they belong; return whether they are some."""
        missing = pairs.find(cells, into)
        if len(missing):
            found = cells[missing]
            numbers = self._numbers(found, part.start + missing, layout)
            if numbers is None:
                return False
            meant = numbers.view(into.dtype)
            pairs.learn(missing, found, meant)
            into[missing] = meant
        return True

    def _numbers(self, cells: Array, places: Array, layout: Layout) -> Array | None:
        """Return the numbers of cells, read strictly; None where there is anything else in one."""
        text, marks = cells.tobytes(), layout.marks[places].tolist()
        if not _are_cells(np.frombuffer(text, np.uint8).reshape(len(cells), -1), marks):
            return None
        close = text.translate(_AS_ZERO, _SPACES)
        if close.translate(None, b"0") != b"".join(marks) or any(it in close for it in _WRONG):
            return None
        plain = text.translate(_UNBRACKETED).rstrip(b" ").removesuffix(b",")
        try:
            return numbers_of(orjson.loads(b"[" + plain + b"]"), self._info)
        except (orjson.JSONDecodeError, InstanceError):
            return None


def _are_cells(text: Array, marks: list[bytes]) -> bool:
    """Whether each cell, of bytes [n, b], begins as one, ends as one, and has its own marks.

    So that it can stand beside any other that was read at the place of its neighbour.
    """
    first = text[:, 0]
    ends = text.shape[1] - 1 - np.argmax(text[:, ::-1] != ord(" "), axis=1)
    last = text[np.arange(len(text)), ends]
    wanted = np.array([it[-1] for it in marks], np.uint8)
    count = np.isin(text, _MARKS).sum(axis=1)
    return bool(
        ((first == ord("[")) | np.isin(first, _DIGITS)).all()
        and (last == wanted).all()
        and (count == [*map(len, marks)]).all()
    )
