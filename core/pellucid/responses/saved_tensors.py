"""What a model was given, in an ``.npz`` file of explanations: kept once, and to the bit."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid.explain import Explanation
from pellucid.inputs import Instance
from pellucid.model import Array

FORM = {"array?": str, "picture?": bool, "shape?": [int], "b64?": [str]}
"""The form of one tensor in the document, for `pellucid.files.expect`."""
_LARGE = 64


def saved_tensors(
    instance: Instance, explanation: Explanation, place: str, arrays: dict[str, Array]
) -> dict[str, dict[str, Any]]:
    """Return where each input of an instance is: in an array, the picture's file, or here.

    What no array below `place` holds is added to `arrays`.
    """
    return {
        key: _saved(key, tensor, instance, explanation, place, arrays)
        for key, tensor in instance.tensors.items()
    }


def _saved(
    key: str,
    tensor: Array,
    instance: Instance,
    explanation: Explanation,
    place: str,
    arrays: dict[str, Array],
) -> dict[str, Any]:
    if tensor.dtype == object:
        shape = list(tensor.shape)
        strings = [it if isinstance(it, bytes) else str(it).encode() for it in tensor.ravel()]
        if strings == [instance.encoded]:
            return {"picture": True, "shape": shape}
        return {"shape": shape, "b64": [base64.b64encode(it).decode() for it in strings]}
    for kind, tensors in (("inputs", explanation.inputs), ("given", explanation.given)):
        # By its own name, or, if it is large enough to be worth a search, by any.
        names = [key] if key in tensors else tensors if tensor.size >= _LARGE else ()
        for name in names:
            if f"{place}/{kind}/{name}" in arrays and _same(tensors[name], tensor):
                return {"array": f"{kind}/{name}"}
    arrays[f"{place}/request/{key}"] = tensor
    return {"array": f"request/{key}"}


def _same(one: Array, other: Array) -> bool:
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and one.tobytes() == other.tobytes()


def read_tensors(
    saved: Mapping[str, Mapping[str, Any]], place: str, arrays: Mapping[str, Array]
) -> dict[str, Array]:
    """Return the inputs that `saved_tensors` kept; raises one of `pellucid.files.DAMAGED`."""
    found = {}
    for key, it in saved.items():
        if "array" in it:
            found[key] = arrays[f"{place}/{it['array']}"]
            continue
        strings = np.empty(it["shape"], object)
        if it.get("picture"):
            values = [arrays[f"{place}/picture"].tobytes()]
        else:
            values = [base64.b64decode(one, validate=True) for one in it["b64"]]
        if strings.size != len(values):
            raise ValueError(f"'{key}' has {len(values)} strings, and the shape {it['shape']}")
        strings.ravel()[:] = values
        found[key] = strings
    return found
