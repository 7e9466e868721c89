"""Explanations as one long table: a row for each element of each feature, label and instance."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np

from pellucid.explain import Explanation, LabelAttribution, Results, element_names
from pellucid.inputs import pyarrow_parquet
from pellucid.metadata import ExplanationMetadata
from pellucid.methods.texts import readable
from pellucid.model import Array


def tidy(results: Results) -> dict[str, list[Any]]:
    """Return the columns of the table by their names, all of one length.

    `value` is what the model was given, as text, where a feature's attributions are those of its
    elements; `index` is the place of the output, as in ``3`` or ``0,2``.
    """
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for explanation, instance in zip(results, results.instances, strict=True):
        for label in explanation.labels:
            same = (
                instance.index, instance.id, label.output, ",".join(map(str, label.index)),
                label.name, label.score, label.baseline_score, label.approx_error,
            )  # fmt: skip
            for row in _rows(explanation, label, results.metadata):
                for name, value in zip(_COLUMNS, (*same, *row), strict=True):
                    columns[name].append(value)
    return columns


def parquet(results: Results) -> bytes:
    """Return the table of `tidy` as a Parquet file. Raises DependencyError."""
    writer = pyarrow_parquet()
    import pyarrow

    kinds = {int: pyarrow.int64(), str: pyarrow.string(), float: pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in _COLUMNS.items()])
    out = BytesIO()
    writer.write_table(pyarrow.table(tidy(results), schema=schema), out)
    return out.getvalue()


_COLUMNS: dict[str, type] = {
    "instance": int,
    "id": str,
    "output": str,
    "index": str,
    "label": str,
    "score": float,
    "baseline_score": float,
    "approx_error": float,
    "feature": str,
    "value": str,
    "attribution": float,
}


def _rows(
    explanation: Explanation, label: LabelAttribution, metadata: ExplanationMetadata
) -> Iterator[tuple[str, str | None, float]]:
    """Yield the name of each element, what it was given, and its attribution."""
    bags = {
        name: explanation.given.get(spec.name, explanation.inputs.get(spec.name, np.zeros(0)))[i]
        for spec in metadata.inputs
        for i, name in enumerate(spec.index_feature_mapping or ())
        if spec.encoding.is_bag and spec.indices_tensor_name is None
    }
    for feature, values in label.features.items():
        given = explanation.given.get(feature, explanation.inputs.get(feature))
        if feature in bags:
            given = np.asarray(bags[feature])
        cut = explanation.words.get(feature)
        texts = _texts(given, values) if cut is None else list(map(readable, cut.words))
        names = element_names(metadata, feature, values)
        for place, value in np.ndenumerate(values):
            number = int(np.ravel_multi_index(place, values.shape)) if place else 0
            name = feature
            if names is not None:
                name = names[number]
            elif values.size > 1:
                name = f"{feature}[{','.join(map(str, place))}]"
            yield name, texts[number], float(value)


def _texts(given: Array | None, values: Array) -> list[str | None]:
    if given is None or given.size != values.size:
        return [None] * values.size
    return [_text(it) for it in given.ravel().tolist()]


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value != value else str(value)
