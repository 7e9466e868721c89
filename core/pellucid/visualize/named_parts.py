"""An explanation in parts that have names: columns with their values, words with their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from pellucid.explain import Explanation, LabelAttribution, element_name
from pellucid.metadata import ExplanationMetadata, InputSpec, Modality
from pellucid.methods.texts import Cut, readable
from pellucid.model import Array
from pellucid.visualize.series.found import series_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A named part of the input: what it contributed, and, where it is one value, that value.

    `error` is that of what it contributed, None where it is not known.
    """

    name: str
    attribution: float
    value: str | None = None
    error: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The words of a text with the attribution of each, float64 [n]; padding is left out.

    `gaps` stands before each word, and after them all `rest`: what gets no attribution of its own.
    `errors` are those of the attributions, None where they are not known.
    """

    feature: str
    words: tuple[str, ...]
    attributions: Array
    gaps: tuple[str, ...]
    rest: str = ""
    errors: Array | None = None


def texts(
    explanation: Explanation,
    label: LabelAttribution,
    metadata: ExplanationMetadata,
    value: object = None,
) -> list[Text]:
    """Return the features that are text: a row of words, with an attribution for each.

    `value` is the instance as given. Where the words stand in it one after the other, they are
    written as there, with what is between them.
    """
    if explanation.tabular:
        return []
    found = []
    for spec in metadata.inputs:
        weights, errors = label.features.get(spec.name), label.errors.get(spec.name)
        if spec.name in explanation.words and weights is not None:
            found.append(
                replace(_cut(spec.name, explanation.words[spec.name], weights), errors=errors)
            )
            continue
        words = _words(spec, explanation)
        if words is None or weights is None or weights.size != len(words):
            continue
        weights = weights.ravel()
        start, end = _filled(words, weights)
        words, gaps, rest = _placed(words[start:end], value)
        text = Text(
            feature=spec.name,
            words=words,
            attributions=weights[start:end],
            gaps=gaps,
            rest=rest,
            errors=None if errors is None else errors.ravel()[start:end],
        )
        found.append(text)
    return found


def _cut(feature: str, cut: Cut, weights: Array) -> Text:
    *gaps, rest = map(readable, cut.gaps)
    words = tuple(map(readable, cut.words))
    return Text(feature=feature, words=words, attributions=weights, gaps=tuple(gaps), rest=rest)


def parts(
    explanation: Explanation, label: LabelAttribution, metadata: ExplanationMetadata
) -> list[Part]:
    """Return the features that are no pictures, text or series, vectors element by element."""
    drawn = _drawn(explanation, label, metadata)
    values: dict[str, list[str]] = {}
    for spec in metadata.inputs:
        if spec.name not in drawn:
            for name, value in _values(spec, explanation):
                values.setdefault(name, []).append(value)
    found = []
    specs = {spec.name: spec for spec in metadata.inputs}
    for feature, attribution in label.features.items():
        if feature in drawn:
            continue
        names = _names(feature, attribution, specs.get(feature))
        known = label.errors.get(feature)
        errors = [None] * len(names) if known is None else known.ravel().tolist()
        for name, weight, error in zip(names, attribution.ravel().tolist(), errors, strict=True):
            # A group has several values, none of which is its own.
            given = values.get(name, [])
            single = given[0] if len(given) == 1 else None
            found.append(Part(name=name, attribution=weight, value=single, error=error))
    return found


def wholes(
    explanation: Explanation, label: LabelAttribution, metadata: ExplanationMetadata
) -> list[Part]:
    """Return the pictures, texts and series, each as one part: what all of it contributed."""
    drawn = _drawn(explanation, label, metadata)
    return [
        Part(name=feature, attribution=float(attribution.sum()))
        for feature, attribution in label.features.items()
        if feature in drawn
    ]


def _drawn(
    explanation: Explanation, label: LabelAttribution, metadata: ExplanationMetadata
) -> set[str]:
    """Return the features that have a picture of their own."""
    if explanation.tabular:
        return set()
    drawn = {spec.name for spec in metadata.inputs if spec.modality is Modality.IMAGE}
    drawn |= {series.feature for series in series_of(explanation, label, metadata)}
    return drawn | {text.feature for text in texts(explanation, label, metadata)}


def _names(feature: str, attribution: Array, spec: InputSpec | None) -> list[str]:
    """Return a name for each element of a feature."""
    mapping = None if spec is None else spec.index_feature_mapping
    if mapping is not None and len(mapping) == attribution.size:
        return list(mapping)
    if attribution.size == 1:
        return [feature]
    return [
        element_name(feature, place, attribution.size) for place in np.ndindex(attribution.shape)
    ]


def _values(spec: InputSpec, explanation: Explanation) -> Iterator[tuple[str, str]]:
    """Yield what the model was given for each element of an input, under the element's name."""
    given = explanation.given.get(spec.name, explanation.inputs.get(spec.name))
    if given is None:
        return
    name = spec.group_name or spec.name
    mapping = spec.index_feature_mapping
    if given.size == 1 and mapping is None:
        yield name, written(given.item())
        return
    if spec.group_name is None and mapping is not None and len(mapping) == given.size:
        names = list(mapping)
    elif given.size == 1 or spec.group_name is not None:
        names = [name] * given.size
    else:
        names = [element_name(name, place, given.size) for place in np.ndindex(given.shape)]
    yield from zip(names, map(written, given.ravel().tolist()), strict=True)


def _words(spec: InputSpec, explanation: Explanation) -> tuple[str, ...] | None:
    """Return the words of a feature: strings in a row; numbers, where the metadata say text."""
    given = explanation.given.get(spec.name, explanation.inputs.get(spec.name))
    if given is None or given.ndim > 1 or spec.group_name is not None:
        return None
    if spec.index_feature_mapping is not None:
        return None
    text = spec.modality is Modality.TEXT
    if not text and (given.dtype != object or given.size < 2):
        return None
    return tuple(map(written, given.ravel().tolist()))


def _filled(words: tuple[str, ...], weights: Array) -> tuple[int, int]:
    """Return where words begin and end: up to the model's length they are filled up.

    That is with empty ones, or the id 0, which say nothing there.
    """
    padding = [
        word in ("", "0") and not weight for word, weight in zip(words, weights, strict=True)
    ]
    start, end = 0, len(words)
    while end > 1 and padding[end - 1]:
        end -= 1
    while start < end - 1 and padding[start]:
        start += 1
    return start, end


def _placed(words: tuple[str, ...], value: object) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Return words as the instance writes them, what stands before each, and after the last."""
    given = [value] if isinstance(value, str) else []
    if isinstance(value, Mapping):
        given = [text for text in value.values() if isinstance(text, str)]
    for text in given:
        # Many models write all words small; letters whose length that changes are left alone.
        small = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        at, places = 0, []
        for word in words:
            found = [f for f in (text.find(word, at), small.find(word, at)) if f >= 0]
            if not found:
                break
            at = min(found)
            places.append((at, at + len(word)))
            at += len(word)
        else:
            ends = [0, *(end for _, end in places)]
            return (
                tuple(text[start:end] for start, end in places),
                tuple(text[a:b] for a, (b, _) in zip(ends, places, strict=False)),
                text[ends[-1] :].rstrip(),
            )
    return words, ("", *(" ",) * (len(words) - 1)), ""


def written(value: object) -> str:
    """Return a value as people read it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if not isinstance(value, float) or not isfinite(value) or abs(value) >= _LARGE:
        return f"{value:.5g}" if isinstance(value, float) else str(value)
    before = len(f"{abs(value):.0f}")  # the digits that stand before the point are all kept
    return f"{value:.{before + 2 * (not value.is_integer()) if before > 5 else 5}g}"


# From here on, numbers of 64 bits have gaps between the whole ones.
_LARGE = 2.0**53
