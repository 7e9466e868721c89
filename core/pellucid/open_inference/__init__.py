"""The Open Inference Protocol (V2): how tensors are written, for those who ask and who answer."""

from __future__ import annotations

from pellucid.open_inference.tensors import (
    BINARY_EXTENSION,
    HEADER_LENGTH,
    TensorError,
    datatype_of,
    dtype_of,
    from_bytes,
    from_json,
    to_bytes,
    to_json,
)

__all__ = [
    "BINARY_EXTENSION",
    "HEADER_LENGTH",
    "TensorError",
    "datatype_of",
    "dtype_of",
    "from_bytes",
    "from_json",
    "to_bytes",
    "to_json",
]
