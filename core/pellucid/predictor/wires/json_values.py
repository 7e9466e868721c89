"""Arrays as the JSON of requests: nested lists, written from their memory; bytes in base 64."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
import orjson

from pellucid.errors import InstanceError
from pellucid.inputs.grids import WORD, GridWriter, Layout
from pellucid.model import Array, Tensors

_NUMBER = {"f": 12, "i": 5, "u": 4, "b": 6}


def json_bytes_of(rows: Tensors) -> int:
    """Return about how many bytes of JSON one row takes."""
    return sum(map(_bytes_of_row, rows.values()))


def _bytes_of_row(values: Array) -> int:
    if values.dtype == object:
        first = values[:1].ravel()
        return sum(len(it) * 4 // 3 + 20 for it in first)
    return values[:1].size * _NUMBER.get(values.dtype.kind, 12)


def as_json(name: str, values: Array) -> Any:
    """Return what `dump` writes as nested lists. Raises InstanceError for what JSON cannot say."""
    if values.dtype == object:
        return _texts(values)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InstanceError(
            f"'{name}' has NaN or infinity, which JSON does not have",
            hint="ask a predictor of the Open Inference Protocol, which takes raw bytes",
        )
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    return np.ascontiguousarray(values) if values.ndim else values.item()


def dump(document: Any) -> bytes:
    """Return a document with arrays in it as JSON."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


class RowTexts:
    """Writes the rows of one model: large ones of a single input as a grid, all others compactly.

    A grid has more bytes; rows of which not one would be in `most` are written compactly, too.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._writer: GridWriter | None = None
        self._kind: object = None

    def row_bytes(self, rows: Tensors) -> int:
        """Return about how many bytes of JSON one row takes."""
        writer = self._writer_of(rows)
        return json_bytes_of(rows) if writer is None else writer.row_bytes

    def grid(self, rows: Tensors, before: bytes, after: bytes) -> list[bytes | memoryview] | None:
        """Return JSON with the rows between what is before and after; None if that is no grid.

        Raises InstanceError for what JSON cannot say.
        """
        writer = self._writer_of(rows)
        if writer is None:
            return None
        ((name, values),) = rows.items()
        try:
            text = writer.write(values)
        except ValueError:
            as_json(name, values)
            raise
        return [before + b" " * (-len(before) % WORD), text, after]

    def _writer_of(self, rows: Tensors) -> GridWriter | None:
        if len(rows) != 1:
            return None
        (values,) = rows.values()
        kind = values.shape[1:], values.dtype
        if kind != self._kind:
            fits = values.dtype.kind in "fiu" and values.itemsize > (values.dtype.kind == "f") * 2
            made = GridWriter(*kind) if fits and Layout.takes(kind[0]) else None
            small = made is not None and made.row_bytes <= self._most
            self._writer, self._kind = made if small else None, kind
        return self._writer


def _texts(values: Array) -> Any:
    if values.ndim == 0:
        return _text(values.item())
    return [_texts(it) if isinstance(it, np.ndarray) else _text(it) for it in values]


def _text(value: object) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"b64": b64encode(value).decode()}
    return str(value)
