"""Names of features that a call gives: of a series' channels, or of the elements of a vector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pellucid.errors import ModelError, SpecError
from pellucid.metadata import Encoding, ExplanationMetadata, Modality
from pellucid.notices import Where
from pellucid.saved_model import (
    MetaGraph,
    Shape,
    Signature,
    class_names_of,
    resolve_tensor,
    tensor_info,
)


def with_feature_names(
    document: ExplanationMetadata,
    meta_graph: MetaGraph,
    signature: Signature,
    written: str | Sequence[str] | None,
) -> ExplanationMetadata:
    """Return the metadata with names for what stands along the last axis of an input.

    `written` are names, or what `class_names_of` reads. They are those of the one input that has as
    many; where several have, of the one that is a series. Raises SpecError where that is none, or
    not one.
    """
    if written is None:
        return document
    names, source = _names(written)
    where = Where(file=source)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SpecError(f"'{twice[0]}' is named twice", where=where)
    shapes: dict[str, Shape] = {}
    for spec in document.inputs:
        if spec.encoding is Encoding.IDENTITY and spec.modality is not Modality.IMAGE:
            shapes[spec.name] = _shape(meta_graph, signature, spec.tensor_name or spec.name)
    fitting = [it for it, shape in shapes.items() if _count(shape) == len(names)]
    fitting = fitting or [it for it, shape in shapes.items() if _count(shape) is None]
    series = [it.name for it in document.inputs if it.modality is Modality.SERIES]
    chosen = fitting if len(fitting) == 1 else [it for it in fitting if it in series]
    if len(chosen) != 1:
        raise _unfitting(len(names), shapes, fitting, where)
    inputs = (
        replace(it, index_feature_mapping=names) if it.name in chosen else it
        for it in document.inputs
    )
    return replace(document, inputs=tuple(inputs))


def _names(written: str | Sequence[str]) -> tuple[tuple[str, ...], str]:
    if not isinstance(written, str):
        return tuple(written), "the names given"
    path = Path(written)
    if "," not in written and not path.suffix and not path.exists():
        return (written.strip(),), "the names given"
    return class_names_of(written, "feature names")


def _unfitting(
    count: int, shapes: Mapping[str, Shape], fitting: Sequence[str], where: Where
) -> SpecError:
    has = f"has {count} name{'s' * (count != 1)}"
    if fitting:
        listed = " and ".join(f"'{it}'" for it in fitting)
        what = f"{has}, and so have the inputs {listed} features"
        hint = "write them as index_feature_mapping of one input into the metadata"
        return SpecError(what, where=where, hint=hint)
    sizes = ", ".join(f"'{name}' has {_count(shape)}" for name, shape in shapes.items())
    what = f"{has}, and the last axis of the input {sizes}" if sizes else "no input takes names"
    return SpecError(what, where=where)


def _shape(meta_graph: MetaGraph, signature: Signature, name: str) -> Shape:
    try:
        tensor = resolve_tensor(meta_graph, signature, name, role="input").tensor
    except ModelError:
        return None  # of which loading has more to say
    return tensor_info(meta_graph, signature, tensor).shape


def _count(shape: Shape) -> int | None:
    """Return how many names an input [batch, n] or [batch, time, n] takes."""
    return shape[-1] if shape is not None and len(shape) in (2, 3) else None
