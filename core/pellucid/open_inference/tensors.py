"""Tensors of the Open Inference Protocol: their datatypes, as JSON, and as raw bytes.

Raw bytes are little-endian and row-major; each element of a BYTES tensor follows its length, four
bytes. Source: the protocol's binary tensor data extension, as Triton documents it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.model import Array

BINARY_EXTENSION = "binary_tensor_data"
"""What a server's ``extensions`` say if it takes raw bytes."""

HEADER_LENGTH = "Inference-Header-Content-Length"
"""The header with the length of the JSON that comes before the raw bytes."""

_DATATYPES: Mapping[str, str] = {
    "bool": "BOOL",
    **{f"uint{bits}": f"UINT{bits}" for bits in (8, 16, 32, 64)},
    **{f"int{bits}": f"INT{bits}" for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"FP{bits}" for bits in (16, 32, 64)},
    "bfloat16": "BF16",
    "string": "BYTES",
}
_DTYPES = {datatype: dtype for dtype, datatype in _DATATYPES.items()}


class TensorError(ValueError):
    """A tensor that is not what it says it is."""


def datatype_of(dtype: str) -> str:
    """Return the protocol's name of a type, numpy's or ``string``. Raises TensorError."""
    if dtype not in _DATATYPES:
        raise TensorError(f"no datatype stands for {dtype}")
    return _DATATYPES[dtype]


def dtype_of(datatype: object) -> str:
    """Return numpy's name of a datatype, or ``string``. Raises TensorError."""
    if not isinstance(datatype, str) or datatype not in _DTYPES:
        raise TensorError(f"{datatype!r} is no datatype; there are {', '.join(_DTYPES)}")
    return _DTYPES[datatype]


def to_bytes(values: Array, datatype: str) -> bytes | memoryview:
    """Return an array's elements as raw bytes; they may be those of the array itself."""
    if datatype == "BYTES":
        items = (it if isinstance(it, bytes) else str(it).encode() for it in values.ravel())
        return b"".join(part for it in items for part in (struct.pack("<I", len(it)), it))
    if datatype == "BF16":
        words = np.ascontiguousarray(values, "<f4").view("<u4")
        rounded = words + 0x7FFF + (words >> 16 & 1)  # to the nearest, ties to even
        values = np.where(np.isnan(values), 0x7FC0, rounded >> 16)
        return values.astype("<u2").tobytes()
    raw = np.ascontiguousarray(values, _little(datatype))
    return raw.reshape(-1).view(np.uint8).data if raw.size else b""


def from_bytes(data: bytes | memoryview, datatype: str, shape: Sequence[int]) -> Array:
    """Return the array of raw bytes; it may be a view of them. Raises TensorError."""
    count = math.prod(shape)
    if datatype == "BYTES":
        found = np.empty(count, object)
        found[:] = _strings(bytes(data), count)
        return found.reshape(shape)
    kind = np.dtype("<u2") if datatype == "BF16" else _little(datatype)
    if len(data) != count * kind.itemsize:
        raise TensorError(
            f"{len(data):,} bytes are not {count:,} elements of {datatype}, "
            f"{count * kind.itemsize:,} bytes"
        )
    values = np.frombuffer(data, kind).reshape(shape)
    if datatype == "BF16":
        return (values.astype("<u4") << 16).view("<f4")
    return values


def to_json(values: Array, datatype: str) -> list[Any]:
    """Return an array's elements in one flat list. Raises TensorError for what JSON cannot hold."""
    if datatype == "BYTES":
        return [_text(it) for it in values.ravel()]
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise TensorError("NaN and infinities are no JSON; ask for raw bytes")
    return values.ravel().tolist()  # type: ignore[no-any-return]


def from_json(data: object, datatype: str, shape: Sequence[int]) -> Array:
    """Return the array of a list of elements, flat or nested. Raises TensorError."""
    if not isinstance(data, list):
        raise TensorError("data is no list")
    dtype = dtype_of(datatype)
    try:
        if datatype == "BYTES":
            found = np.array(data, object).ravel()
            if any(not isinstance(it, str) for it in found):
                raise TensorError("the elements of BYTES are strings")
            found = np.array([it.encode() for it in found], object)
        else:
            found = _numbers(data, dtype)
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, TensorError):
            raise
        raise TensorError(f"data are no {datatype} of one shape") from error
    if found.size != math.prod(shape):
        raise TensorError(
            f"{found.size:,} elements are not those of shape {list(shape)}, {math.prod(shape):,}"
        )
    return found.reshape(shape)


def _numbers(data: list[Any], dtype: str) -> Array:
    found = np.array(data)
    if not found.size:
        found = found.astype(bool if dtype == "bool" else np.int64)
    wanted = np.dtype("float32" if dtype == "bfloat16" else dtype)
    allowed = {"b": "b", "u": "iu", "i": "iu", "f": "iuf"}[wanted.kind]
    if found.dtype.kind not in allowed:
        raise TensorError(f"data are no {_DATATYPES[dtype]}")
    if wanted.kind in "iu" and found.size:
        range_ = np.iinfo(wanted)
        if int(found.min()) < range_.min or int(found.max()) > range_.max:
            raise TensorError(f"data are outside of {_DATATYPES[dtype]}")
    return found.astype(wanted)


def _strings(data: bytes, count: int) -> list[bytes]:
    found, place = list[bytes](), 0
    for _ in range(count):
        if place + 4 > len(data):
            raise TensorError(f"there are {len(found):,} strings, not {count:,}")
        (size,) = struct.unpack_from("<I", data, place)
        place += 4 + size
        if place > len(data):
            raise TensorError("a string is longer than the data")
        found.append(data[place - size : place])
    if place != len(data):
        raise TensorError(f"{len(data) - place:,} bytes follow the last of {count:,} strings")
    return found


def _text(value: object) -> str:
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError:
        raise TensorError("bytes that are no UTF-8 are no JSON; ask for raw bytes") from None


def _little(datatype: str) -> np.dtype[Any]:
    return np.dtype(f"<{np.dtype(dtype_of(datatype)).str[1:]}")
