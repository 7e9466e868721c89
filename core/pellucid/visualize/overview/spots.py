"""What is drawn of an instance point by point: its named parts, each with its value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from pellucid.explain import Explanation, LabelAttribution
from pellucid.metadata import ExplanationMetadata
from pellucid.model import TensorsOfRow
from pellucid.visualize.named_parts import Text, parts, texts, written

LARGEST = 1024
"""Features with more elements are not counted."""

Value = float | str | None


@dataclass(frozen=True, slots=True)
class Spots:
    """The named parts of an instance, the attribution of each, and its value."""

    names: tuple[str, ...]
    attributions: tuple[float, ...]
    values: tuple[Value, ...]

    @classmethod
    def of(cls, named: Mapping[str, tuple[float, Value]]) -> Spots:
        """Return parts by their names, with the attribution and the value of each."""
        attributions, values = zip(*named.values(), strict=True) if named else ((), ())
        return cls(tuple(named), attributions, values)

    @classmethod
    def read(cls, names: tuple[str, ...], attributions: Any, values: Any) -> Spots:
        """Return what a document has. Raises what a damaged one does."""
        if not len(names) == len(attributions) == len(values):
            raise ValueError("there are not as many numbers as names")
        if not {*map(type, attributions)} <= {int, float}:
            raise TypeError("an attribution is no number")
        if not {*map(type, values)} <= {int, float, str, type(None)}:
            raise TypeError("a value is neither a number nor a text")
        return cls(names, tuple(map(float, attributions)), tuple(map(_as_float, values)))


def spots(
    explanation: Explanation, label: LabelAttribution, metadata: ExplanationMetadata
) -> Spots:
    """Return the named parts of a label, with the value of each as a number, if it is one.

    A text beside other features is a part without a value; what is too large has none.
    """
    columns = _columns(explanation, label, metadata)
    if columns is not None:
        return columns
    small = {name: it for name, it in label.features.items() if it.size <= LARGEST}
    found = parts(explanation, replace(label, features=small), metadata)
    named = {part.name: (part.attribution, _number(part.value)) for part in found}
    whole = whole_texts(texts(explanation, label, metadata), label)
    return Spots.of({**named, **{name: (it, None) for name, it in whole.items()}})


def _columns(
    explanation: Explanation, label: LabelAttribution, metadata: ExplanationMetadata
) -> Spots | None:
    """Return the parts where each feature is a single number, None where any is not."""
    features, given = label.features, explanation.given
    if not explanation.tabular or not isinstance(features, TensorsOfRow):
        return None
    if not isinstance(given, TensorsOfRow) or given.arrays.keys() != features.arrays.keys():
        return None
    if features.arrays.largest != 1 or given.arrays.largest != 1:
        return None
    if metadata.mapped:
        return None
    own = given.arrays.numbers[given.row]
    names = tuple(features.arrays)
    if tuple(given.arrays) != names:
        by_name = dict(zip(given.arrays, own, strict=True))
        own = tuple(by_name[name] for name in names)
    attributions = features.arrays.numbers[features.row]
    return Spots(names, attributions, tuple(map(_as_value, own)))


def whole_texts(found: Sequence[Text], label: LabelAttribution) -> dict[str, float]:
    """Return what each text contributes as a whole, unless it is all there is."""
    if len(label.features) < 2:
        return {}
    return {text.feature: float(label.features[text.feature].sum()) for text in found}


def shown_value(value: Value) -> Value:
    """Return a value with as many digits as people see of it."""
    return float(written(value)) if isinstance(value, float) else value


def _as_value(value: object) -> Value:
    if type(value) is float:
        return value if isfinite(value) else None
    return float(value) if type(value) is int else str(value)


def _as_float(value: Value) -> Value:
    return float(value) if type(value) is int else value


def _number(value: str | None) -> Value:
    try:
        number = None if value is None else float(value)
    except ValueError:
        return value
    return None if number is None or not isfinite(number) else number
