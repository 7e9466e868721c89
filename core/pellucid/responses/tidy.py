"""Explanations as one long table: a row for each element of each feature, label and instance."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np

from pellucid.errors import DependencyError
from pellucid.explain import (
    Explanation,
    LabelAttribution,
    Results,
    element_name,
    element_names,
)
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
                feature, value, attribution, _ = row
                cells = (*same, feature, _text(value), attribution)
                for name, cell in zip(_COLUMNS, cells, strict=True):
                    columns[name].append(cell)
    return columns


def frame(results: Results) -> Any:
    """Return a pandas DataFrame: a row for each element of each feature, label and instance.

    `value` is what the model was given, and not its text; `error` is that of the attribution, NaN
    where it is not known. Nearest examples are rows of their own. Raises DependencyError.
    """
    try:
        import pandas
    except ImportError as error:
        raise DependencyError("this needs the package pandas", hint="pip install pandas") from error
    pairs = [*zip(results, results.instances, strict=True)]
    if any(explanation.neighbors is not None for explanation, _ in pairs):
        near = [
            (instance.index, instance.id, neighbor.id, neighbor.distance)
            for explanation, instance in pairs
            for neighbor in explanation.neighbors or ()
        ]
        return pandas.DataFrame(near, columns=["instance", "id", "example", "distance"])
    columns: dict[str, list[Any]] = {name: [] for name in _FRAME}
    for explanation, instance in pairs:
        for label in explanation.labels:
            rows = [*_rows(explanation, label, results.metadata)]
            same = {
                "instance": instance.index,
                "id": instance.id,
                "label": label.called,
                "score": label.score,
                "baseline_score": label.baseline_score,
                "approx_error": label.approx_error,
                "output": label.output,
            }
            for name, one in same.items():
                columns[name] += [one] * len(rows)
            for place, name in enumerate(("feature", "value", "attribution", "error")):
                columns[name] += [row[place] for row in rows]
    numbers = dict.fromkeys(_NUMBERS, float)
    return pandas.DataFrame(columns).astype({"instance": "int64", **numbers})


_FRAME = (
    "instance", "id", "label", "feature", "value",
    "attribution", "error", "score", "baseline_score", "approx_error", "output",
)  # fmt: skip
_NUMBERS = ("attribution", "error", "score", "baseline_score", "approx_error")


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
) -> Iterator[tuple[str, Any, float, float]]:
    """Yield the name of each element, what it was given, its attribution and the error of that.

    That is NaN where it is not known.
    """
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
        cells = _cells(given, values) if cut is None else list(map(readable, cut.words))
        names = element_names(metadata, feature, values)
        errors = label.errors.get(feature, np.full(values.shape, np.nan))
        for place, value in np.ndenumerate(values):
            number = int(np.ravel_multi_index(place, values.shape)) if place else 0
            name = element_name(feature, place, values.size)
            if names is not None:
                name = names[number]
            yield name, cells[number], float(value), float(errors[place])


def _cells(given: Array | None, values: Array) -> list[Any]:
    if given is None or given.size != values.size:
        return [None] * values.size
    return [
        it.decode("utf-8", "replace") if isinstance(it, bytes) else it
        for it in given.ravel().tolist()
    ]


def _text(value: object) -> str | None:
    return None if value is None or value != value else str(value)
