"""What a file that `pack` wrote holds: its document's form, and its arrays.

They are read such that nobody can claim more than is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from math import prod
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from pellucid.model import Array
from pellucid.responses.provenance import DIGEST, PROVENANCE
from pellucid.responses.saved_tensors import FORM as TENSOR

_HEADS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


DOCUMENT = "pellucid.json"
"""The array that holds the document, UTF-8."""

_LABEL = {
    "output?": str,
    "name": (str, None),
    "features": [str],
    "evaluations": (int, None),
    "diagnostics": {str: float},
    "chosen?": {str: [str]},
}
_INSTANCE = {
    "source": (str, None),
    "value": object,
    "beside": {str: object, "time?": {"column": str, "at": [float], "dates": bool}},
    "index": int,
    "upright": bool,
    "given": {str: (list, str)},
    "outputs?": [str],
    "texts?": {str: (list, str)},
    "request?": {str: TENSOR},
    "pictures?": [str],
    "names?": ([str], None),
    "warnings": [str],
    "pixels?": {str: dict},
    "held?": [str],
    "baseline?": str,
    "words?": {str: list},
    "labels": [_LABEL],
}
FORM = {
    "metadata": dict,
    "layouts?": {str: dict},
    "provenance?": dict,
    "method": {"name": str, "settings": dict},
    "instances": [_INSTANCE],
}
"""The form of the document, for `pellucid.files.expect`."""


def read_arrays(data: bytes) -> dict[str, Array]:
    """Return the arrays of an uncompressed ``.npz`` archive.

    Raises one of `pellucid.files.DAMAGED`, before any memory is taken for what is not there.
    """
    with ZipFile(BytesIO(data)) as archive:
        members = archive.infolist()
        stored = all(it.compress_type == ZIP_STORED for it in members)
        if not stored or sum(it.file_size for it in members) > len(data):
            raise ValueError("its arrays are compressed, or more than the file is long")
        return {it.filename.removesuffix(".npy"): _array(archive.read(it)) for it in members}


def archive_digest(arrays: Mapping[str, Array], document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of arrays and of the document that stands beside them.

    What the document itself says of it does not count.
    """
    digest = sha256()
    for name in sorted(arrays):
        if name != DOCUMENT:
            array = np.ascontiguousarray(arrays[name])
            digest.update(f"{name} {array.dtype.str} {arrays[name].shape}\n".encode())
            digest.update(array.tobytes())
    own = dict(document)
    if PROVENANCE in own:
        own[PROVENANCE] = {k: v for k, v in own[PROVENANCE].items() if k != DIGEST}
    digest.update(json.dumps(own, sort_keys=True).encode())
    return digest.hexdigest()


def _array(data: bytes) -> Array:
    file = BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version not in _HEADS:
        raise ValueError(f"an array is of version {version}")
    shape, fortran, dtype = _HEADS[version](file)
    size = prod(shape)
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError("an array holds Python objects, or has no shape")
    if size * dtype.itemsize != len(data) - file.tell():
        raise ValueError("an array is longer or shorter than it says")
    array = np.array(np.frombuffer(data, dtype, size, file.tell())) if size else np.empty(0, dtype)
    return array.reshape(shape, order="F" if fortran else "C")
