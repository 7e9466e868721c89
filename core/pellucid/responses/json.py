"""Values, features and outputs as JSON: what the forms of all services have in common.

What real clients need: every score is a JSON float; no key beyond the documented ones inside an
attribution; an image feature is ``{"b64_jpeg": …}``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from pellucid.examples import Neighbor
from pellucid.explain import Explanation, LabelAttribution, element_names
from pellucid.metadata import ExplanationMetadata
from pellucid.methods.texts import Cut, readable
from pellucid.model import Array, TensorsOfRow

Drawn = dict[str, tuple[bytes, str]]
"""Image feature → (encoded picture, ``jpeg`` or ``png``)."""

Picture = Callable[[int, LabelAttribution], Drawn]
"""(number of the explanation, label) → its pictures."""

Features = Callable[[LabelAttribution, Drawn], Any]
"""How the attributions of the features of a label are written: `features_json`, or as text."""

# Of so few numbers, lists of a whole block are made faster than an array is written.
_FEW = 16


def predictions(values: Sequence[Array | Mapping[str, Array]]) -> list[Any]:
    """Return what the model said of each instance, as JSON: a value, or an object of outputs.

    Strings that are no UTF-8, and those of outputs whose name ends in ``_bytes``, are written as
    ``{"b64": …}``: "to send binary data, you must base64-encode the data and mark it as binary".
    """
    return [
        {name: _said(part, binary=name.endswith("_bytes")) for name, part in value.items()}
        if isinstance(value, Mapping)
        else _said(value)
        for value in values
    ]


def encode(document: Any, *, indent: bool = True) -> bytes:
    """Return a document as UTF-8 JSON; numpy arrays are written as nested lists."""
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    indented = orjson.OPT_INDENT_2 if indent else 0
    return orjson.dumps(document, default=_lists, option=options | indented)


def laid_out(document: Any) -> bytes:
    """Return a document as `encode` does, for people, too: numbers of a list stand on one line."""
    # No text has a line break in JSON, so that none is taken for a list.
    return _NUMBERS.sub(
        lambda found: b"[" + b", ".join(map(bytes.strip, found[1].split(b","))) + b"]",
        encode(document),
    )


_NUMBERS = re.compile(rb"\[\n([^\[\]{}\"]*)\n *\]")


def _lists(value: object) -> object:
    """Return what orjson leaves of numpy: an array of no axes is a number."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


def diagnostics_json(
    labels: Sequence[LabelAttribution],
    explanation: Explanation,
    metadata: ExplanationMetadata,
    *,
    errors: bool = False,
) -> dict[str, Any]:
    """Return what methods say of themselves, beside the attributions and in their order.

    With them stand, under ``pixels``, what was assumed of the picture that was explained, under
    ``baseline``, what was chosen for one, under ``held``, what was not explained, and under
    ``words`` the parts of each text, one for each of its attributions, and where they are. If
    `errors` are asked for, they stand there, too, but for pictures, which are no numbers here.

    "No key beyond the listed ones inside an attribution": clients would stumble over it.
    """
    images = metadata.pictures
    said = [
        {
            **{k: value if np.isfinite(value) else None for k, value in label.diagnostics.items()},
            **(_errors(label, images) if errors else {}),
            **({"pixels": explanation.pixels} if explanation.pixels else {}),
            **({"baseline": explanation.baseline} if explanation.baseline else {}),
            **({"held": list(explanation.held)} if explanation.held else {}),
            **({"words": _words(explanation.words)} if explanation.words else {}),
        }
        for label in labels
    ]
    return {"diagnostics": said} if any(said) else {}


def _errors(label: LabelAttribution, images: Collection[str]) -> dict[str, Any]:
    """Return the error of each value, shaped as the attributions; what is not known is null."""
    known = {name: value for name, value in label.errors.items() if name not in images}
    found = {
        name: _json(value) if np.isfinite(value).all() else _nulls(value.tolist())
        for name, value in known.items()
    }
    return {"errors": found} if found else {}


def _nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [_nulls(it) for it in value]
    return value if np.isfinite(value) else None


def _words(texts: Mapping[str, Cut]) -> dict[str, Any]:
    """Return the parts of texts with their places, in characters (code points) from 0."""
    return {
        name: [
            {"word": readable(word), "start": start, "end": end}
            for word, (start, end) in zip(text.words, text.spans, strict=True)
        ]
        for name, text in texts.items()
    }


def instance_json(ids: Sequence[str | None], number: int) -> dict[str, str]:
    """Return the id of an instance, beside its attributions, where it has one."""
    name = ids[number] if ids else None
    return {} if name is None else {"id": name}


def names_json(metadata: ExplanationMetadata, explanation: Explanation) -> dict[str, Any]:
    """Return what the elements of a vector are called, where attributions are a list of theirs."""
    names = {
        feature: list(found)
        for label in explanation.labels
        for feature in metadata.mapped
        if feature in label.features
        and (found := element_names(metadata, feature, label.features[feature])) is not None
    }
    return {"feature_names": names} if names else {}


def neighbors_json(neighbors: Sequence[Neighbor]) -> dict[str, Any]:
    """Return ``{"neighbors": [{"neighborId", "neighborDistance"}]}``, nearest first.

    "The attributions field is empty and instead the neighbors field is populated."
    """
    return {
        "neighbors": [{"neighborId": it.id, "neighborDistance": it.distance} for it in neighbors]
    }


def features_json(label: LabelAttribution, drawn: Drawn) -> dict[str, Any]:
    """Return the attribution of each feature: nested lists, a number, or its picture."""
    found = label.features
    if not drawn and isinstance(found, TensorsOfRow) and found.arrays.largest <= _FEW:
        return found.listed()
    features: dict[str, Any] = {}
    for name, value in found.items():
        if name in drawn:
            picture, form = drawn[name]
            features[name] = {f"b64_{form}": base64.b64encode(picture).decode()}
        else:
            features[name] = _json(value)
    return features


def _json(value: Array) -> Any:
    array = np.asarray(value)
    if array.dtype.kind == "f":
        array = np.asarray(array, np.float64, order="C")
    return float(array) if array.ndim == 0 else array


def _said(value: Array, *, binary: bool = False) -> Any:
    """Return one output of one instance as JSON; bytes become text where they can."""
    array = np.asarray(value)
    if array.dtype.kind not in "OSU":
        return _json(array)
    if array.ndim:
        return [_said(item, binary=binary) for item in array]
    item = array.item()
    data = item.encode() if isinstance(item, str) else bytes(item)
    try:
        return {"b64": base64.b64encode(data).decode()} if binary else data.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(data).decode()}
