"""Answers of the services, whatever form they have, as one kind of record.

AI Platform's ``attributions_by_label``, Vertex AI's ``attributions`` (as the REST API and as the
Python client write them), and the ``masks`` of KServe's LIME explainer.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.errors import InstanceError
from pellucid.inputs import decode_picture, kind_of
from pellucid.model import Array
from pellucid.notices import Where

AI_PLATFORM, VERTEX, KSERVE = "ai-platform", "vertex", "kserve"
PREDICTED = "predicted"
"""The form of an answer that explains nothing."""
_PICTURES = ("b64_jpeg", "b64_png", "b64")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredLabel:
    """What was said of one output of an instance: its scores, and the attributions of features.

    `features` are numbers of any shape, `pictures` uint8 [h, w, 3]. What was not said is None.
    """

    index: tuple[int, ...] | None
    name: str | None
    output: str | None
    score: float | None
    baseline_score: float | None
    approx_error: float | None
    features: Mapping[str, Array] = field(default_factory=dict)
    pictures: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Masks:
    """What KServe's LIME explainer said: patches of each label, int [k, h, w], and the labels."""

    masks: Array
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a service answered of each instance, in its `form`; an `error` is all there is of it."""

    form: str
    instances: tuple[tuple[AnsweredLabel, ...], ...] = ()
    masks: tuple[Masks, ...] = ()
    predictions: tuple[Any, ...] | None = None
    error: str = ""

    @property
    def count(self) -> int:
        return len(self.masks) if self.form == KSERVE else len(self.instances)


def parse_answer(response: Mapping[str, Any], where: Where) -> Answer:
    """Return an answer as a record. Raises InstanceError for a form that no service has."""
    if "error" in response and "explanations" not in response:
        said = response["error"]
        text = said.get("message", said) if isinstance(said, Mapping) else said
        return Answer(form="", error=str(text))
    explanations = response.get("explanations")
    if isinstance(explanations, Mapping):
        explanations = [explanations]
    place = where.below("explanations")
    predictions = response.get("predictions")
    said = tuple(predictions) if isinstance(predictions, list) else None
    if said and "explanations" not in response:
        return Answer(form=PREDICTED, instances=((),) * len(said), predictions=said)
    if not isinstance(explanations, list) or not explanations:
        what = "is no list of explanations" if "explanations" in response else "is not there"
        raise InstanceError(what, where=place, hint=_KNOWN)
    first = explanations[0] if isinstance(explanations[0], Mapping) else {}
    if "masks" in first:
        found = [_masks(it, place.below(f"[{i}]")) for i, it in enumerate(explanations)]
        return Answer(form=KSERVE, masks=tuple(found), predictions=said)
    for form, key in ((AI_PLATFORM, "attributions_by_label"), (VERTEX, "attributions")):
        if key in first:
            made = [
                tuple(_labels(it, key, form, place.below(f"[{i}]")))
                for i, it in enumerate(explanations)
            ]
            return Answer(form=form, instances=tuple(made), predictions=said)
    keys = ", ".join(f"'{it}'" for it in first) or "no keys"
    raise InstanceError(f"has {keys}", where=place.below("[0]"), hint=_KNOWN)


_KNOWN = (
    "known are attributions_by_label (AI Platform), attributions (Vertex AI) and masks (KServe)"
)


def _labels(explanation: Any, key: str, form: str, where: Where) -> Iterator[AnsweredLabel]:
    found = explanation.get(key) if isinstance(explanation, Mapping) else None
    if not isinstance(found, list):
        raise InstanceError("is no list of attributions", where=where.below(key), hint=_KNOWN)
    if not found:
        raise InstanceError("explains no output", where=where.below(key))
    for i, it in enumerate(found):
        here = where.below(f"{key}[{i}]")
        if not isinstance(it, Mapping):
            raise InstanceError(f"is {kind_of(it)}, and no object", where=here)
        yield _label(it, form, here)


# By form: the keys, in their spellings, of the index, the name, the output, the two scores, the
# error and the attributions.
_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    AI_PLATFORM: (
        ("label_index",), ("label_name",), ("output_name",), ("example_score",),
        ("baseline_score",), ("approx_error",), ("attributions",),
    ),
    VERTEX: (
        ("outputIndex", "output_index"), ("outputDisplayName", "output_display_name"),
        ("outputName", "output_name"), ("instanceOutputValue", "instance_output_value"),
        ("baselineOutputValue", "baseline_output_value"),
        ("approximationError", "approximation_error"),
        ("featureAttributions", "feature_attributions"),
    ),
}  # fmt: skip


def _label(it: Mapping[str, Any], form: str, where: Where) -> AnsweredLabel:
    values = [next((it[key] for key in keys if key in it), None) for keys in _KEYS[form]]
    index, name, output, score, base, error, attributions = values
    if not isinstance(attributions, Mapping):
        raise InstanceError(f"has no '{_KEYS[form][-1][0]}'", where=where)
    features, pictures = {}, {}
    for feature, value in attributions.items():
        here = where.below(f"{_KEYS[form][-1][0]}.{feature}")
        picture = _picture(value, here)
        if picture is not None:
            pictures[feature] = picture
        else:
            features[feature] = _array(value, here)
    return AnsweredLabel(
        index=_index(index, where), name=None if name is None else str(name),
        output=None if output is None else str(output), score=_number(score, where),
        baseline_score=_number(base, where), approx_error=_number(error, where),
        features=features, pictures=pictures,
    )  # fmt: skip


def _index(written: Any, where: Where) -> tuple[int, ...] | None:
    """Return the index of an output: −1 and [] are those of an output of one number."""
    if written is None:
        return None
    try:
        if isinstance(written, list | tuple):
            return tuple(int(it) for it in written)
        return () if int(written) == -1 else (int(written),)
    except (TypeError, ValueError, OverflowError):
        raise InstanceError(f"has the index {written!r}", where=where) from None


def _number(value: Any, where: Where) -> float | None:
    """Return a number, None if it was not said; of JSON, NaN and infinities are strings."""
    if value is None:
        return None
    if (isinstance(value, int | float) and not isinstance(value, bool)) or value in _NO_NUMBERS:
        return float(value)
    raise InstanceError(f"has {kind_of(value)} in the place of a score", where=where)


_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
"""As Protocol Buffers write them in JSON."""


def _array(value: Any, where: Where) -> Array:
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise InstanceError(f"is {kind_of(value)}, and no numbers", where=where) from None
    return array


def _picture(value: Any, where: Where) -> Array | None:
    if not isinstance(value, Mapping):
        return None
    key = next((it for it in _PICTURES if it in value), None)
    if key is None:
        listed = ", ".join(f"'{it}'" for it in value)
        raise InstanceError(f"has {listed or 'no keys'}, and no picture", where=where)
    try:
        data = base64.b64decode(str(value[key]))
    except ValueError:  # binascii.Error is one, and so is what is not ASCII
        raise InstanceError("is no base64", where=where.below(key)) from None
    return np.asarray(decode_picture(data, where.below(key)).convert("RGB"))


def _masks(explanation: Any, where: Where) -> Masks:
    try:
        masks = np.asarray(explanation["masks"], np.float64)
        labels = tuple(int(it) for it in np.ravel(explanation["top_labels"]))
    except (KeyError, TypeError, ValueError):
        raise InstanceError("has no masks with their top_labels", where=where) from None
    if masks.ndim != 3 or len(masks) != len(labels):
        shape = list(masks.shape)
        what = f"has masks of shape {shape} for {len(labels)} labels, where it is [k, h, w]"
        raise InstanceError(what, where=where)
    return Masks(masks=np.rint(masks).astype(np.int64), labels=labels)
