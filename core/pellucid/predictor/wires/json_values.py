"""Arrays as the JSON of requests: nested lists, written from their memory; bytes in base 64."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
import orjson

from pellucid.errors import InstanceError
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
