"""Instances to look at: what they show, and the attributions of both models beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pellucid.comparison.diff.matching import Matched
from pellucid.comparison.elements import map_of
from pellucid.explain import Explanation, LabelAttribution
from pellucid.inputs import Instance, shown_picture
from pellucid.metadata import ExplanationMetadata
from pellucid.model import Array
from pellucid.visualize import parts, texts

Words: TypeAlias = tuple[Sequence[str], Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictured:
    """An instance to look at, and the attributions of both models.

    `picture` is uint8 [h, w, 3], and `maps` float64 [h, w], those of the second model in the size
    that they have; `words` are the words of a text with what each got; `elements` are all others.
    """

    number: int
    moved: float
    picture: Array | None = None
    maps: tuple[Array, Array] | None = None
    words: tuple[Words, Words] | None = None
    elements: Mapping[str, tuple[float, float]] = field(default_factory=dict)


Half: TypeAlias = tuple[ExplanationMetadata, Instance, Explanation, LabelAttribution]
"""What a model's features are, an instance as it reads it, and its explanation of a label."""


def pictured(number: int, moved: float, first: Half, second: Half, matched: Matched) -> Pictured:
    """Return what is to be looked at, by the first model's names."""
    halves = (first, second)
    planes = [map_of(label, metadata) for metadata, _, _, label in halves]
    picture, maps = None, None
    if planes[0] is not None and planes[1] is not None:
        picture = _picture(first[0], first[2], planes[0][0])
        maps = (planes[0][1], planes[1][1])
    written = [
        texts(explanation, label, metadata, record.value)
        for metadata, record, explanation, label in halves
    ]
    words = None
    if written[0] and written[1]:
        one, other = ((found[0].words, found[0].attributions) for found in written)
        words = (one, other)
    own = [
        {part.name: part.attribution for part in parts(explanation, label, metadata)}
        for metadata, _, explanation, label in halves
    ]
    theirs = {matched.named(name): value for name, value in own[1].items()}
    return Pictured(
        number=number, moved=moved, picture=picture, maps=maps, words=words,
        elements={n: (own[0].get(n, 0.0), theirs.get(n, 0.0)) for n in {**own[0], **theirs}},
    )  # fmt: skip


def _picture(metadata: ExplanationMetadata, explanation: Explanation, feature: str) -> Array | None:
    """Return the picture that the first model saw, as it is drawn."""
    (spec,) = (it for it in metadata.inputs if it.name == feature)
    tensor = explanation.inputs.get(feature)
    if tensor is None or tensor.ndim < 2:
        return None
    return shown_picture(spec, tensor)
