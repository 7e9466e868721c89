"""Explanations as one long table: a row for each element of each feature, label and instance.

The columns are those of `TIDY`, with the columns of the instances' own table that were kept after
the id. One with the name of another column is called ``kept_`` and its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from pellucid.errors import DependencyError
from pellucid.explain import (
    Explanation,
    LabelAttribution,
    Results,
    element_name,
    element_names,
)
from pellucid.inputs import Instance
from pellucid.metadata import ExplanationMetadata, Modality
from pellucid.methods.texts import readable
from pellucid.model import Array

TIDY: dict[str, type] = {
    "input": str,
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
    "error": float,
}
"""The columns of the table, and what is in them; all but `input`, `instance` and those of the label
may be missing."""

_OF_ROWS = ("feature", "value", "attribution", "error")


def tidy_groups(
    results: Results,
    number: int,
    name: str,
    kept: Sequence[str],
    truth: Sequence[str | None] = (),
) -> list[Any]:
    """Return the rows of one instance as JSON, those of each label together.

    A group is ``[what all its rows have, features, values, attributions, errors]``. `name` is what
    the instance is called, `kept` the columns of its own table, `truth` its true label, if there is
    to be such a column. A picture is a row for each of its regions, with the box around it,
    ``left,top,right,bottom`` in pixels, as `value`, where the method has regions, else one: the sum
    of its pixels.
    """
    explanation, instance = results[number], results.instances[number]
    pictures = {it.name for it in results.metadata.inputs if it.modality is Modality.IMAGE}
    groups = []
    for label in explanation.labels:
        rows = [*_rows(explanation, label, results.metadata, pictures)]
        for feature in label.features:
            if feature in pictures:
                rows += _of_picture(label, feature)
        groups.append([[*_same(name, instance, label, kept).values(), *truth], *_turned(rows)])
    return groups


def tidy_names(kept: Sequence[str], *, truth: bool = False) -> dict[str, type]:
    """Return the columns of the table and what is in them, with those that are kept."""
    names: dict[str, type] = {}
    for name, kind in TIDY.items():
        names[name] = kind
        if name == "id":
            names |= {_kept(it): str for it in kept}
        if name == "approx_error" and truth:
            names["truth"] = str
    return names


def tidy(results: Results) -> tuple[list[str], Iterator[Any]]:
    """Return the columns that are kept, and the groups of all rows; a picture has all its pixels.

    `value` is what the model was given, as text, where a feature's attributions are those of its
    elements; `index` is the place of the output, as in ``3`` or ``0,2``.
    """
    kept = _kept_columns(results)
    return kept, (
        [
            [*_same(str(instance.where), instance, label, kept).values()],
            *_turned([*_rows(explanation, label, results.metadata)]),
        ]
        for explanation, instance in zip(results, results.instances, strict=True)
        for label in explanation.labels
    )


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
    kept = _kept_columns(results)
    columns: dict[str, list[Any]] = {name: [] for name in (*_FRAME, *map(_kept, kept))}
    for explanation, instance in pairs:
        for label in explanation.labels:
            rows = [*_rows(explanation, label, results.metadata)]
            same: dict[str, Any] = {
                "instance": instance.index,
                "id": instance.id,
                "label": label.called,
                "score": label.score,
                "baseline_score": label.baseline_score,
                "approx_error": label.approx_error,
                "output": label.output,
                **{_kept(it): instance.columns.get(it) for it in kept},
            }
            for name, one in same.items():
                columns[name] += [one] * len(rows)
            for place, name in enumerate(_OF_ROWS):
                columns[name] += [row[place] for row in rows]
    numbers = dict.fromkeys(_NUMBERS, float)
    return pandas.DataFrame(columns).astype({"instance": "int64", **numbers})


_FRAME = (
    "instance", "id", "label", "feature", "value",
    "attribution", "error", "score", "baseline_score", "approx_error", "output",
)  # fmt: skip
_NUMBERS = ("attribution", "error", "score", "baseline_score", "approx_error")


def _kept_columns(results: Results) -> list[str]:
    return [*dict.fromkeys(name for it in results.instances for name in it.columns)]


def _kept(name: str) -> str:
    return f"kept_{name}" if name in TIDY or name == "truth" else name


def _turned(rows: Sequence[tuple[str, Any, float, float]]) -> list[list[Any]]:
    """Return the columns of rows as JSON has them."""
    return [
        [it[0] for it in rows],
        [_text(it[1]) for it in rows],
        [it[2] for it in rows],
        [None if it[3] != it[3] else it[3] for it in rows],
    ]


def _same(
    name: str, instance: Instance, label: LabelAttribution, kept: Iterable[str]
) -> dict[str, Any]:
    """Return what all rows of a label have, by the names of columns, in their order."""
    return {
        "input": name,
        "instance": instance.index,
        "id": instance.id,
        **{_kept(it): _text(instance.columns.get(it)) for it in kept},
        "output": label.output,
        "index": ",".join(map(str, label.index)),
        "label": label.name,
        "score": label.score,
        "baseline_score": label.baseline_score,
        "approx_error": label.approx_error,
    }


def _rows(
    explanation: Explanation,
    label: LabelAttribution,
    metadata: ExplanationMetadata,
    without: Iterable[str] = (),
) -> Iterator[tuple[str, Any, float, float]]:
    """Yield the name of each element, what it was given, its attribution and the error of that.

    That is NaN where it is not known. Features `without` which the table is are left out.
    """
    bags = {
        name: explanation.given.get(spec.name, explanation.inputs.get(spec.name, np.zeros(0)))[i]
        for spec in metadata.inputs
        for i, name in enumerate(spec.index_feature_mapping or ())
        if spec.encoding.is_bag and spec.indices_tensor_name is None
    }
    for feature, values in label.features.items():
        if feature in without:
            continue
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


def _of_picture(
    label: LabelAttribution, feature: str
) -> Iterator[tuple[str, str | None, float, float]]:
    """Yield the regions of a picture, or all of it, as `_rows` does; `value` is a region's box.

    All pixels of one of LIME's patches have its coefficient; those of a region add up.
    """
    total = np.mean if "stability" in label.diagnostics else np.sum  # LIME's, as in warnings
    values = np.asarray(label.features[feature], np.float64)
    regions = label.ranks.get(feature, label.segments.get(feature))
    if regions is None:
        yield feature, None, float(values.sum()), float("nan")
        return
    regions = np.asarray(regions)
    errors = np.asarray(label.errors.get(feature, np.full(values.shape, np.nan)), np.float64)
    sums, off = (_by_pixel(it, regions.shape) for it in (values, errors))
    boxes = ndimage.find_objects(regions + (1 - int(regions.min())))
    first = int(regions.min())
    for number, box in enumerate(boxes, first):
        if box is None:
            continue
        there = regions[box] == number
        rows, across = box
        yield (
            f"{feature}[{number}]",
            f"{across.start},{rows.start},{across.stop},{rows.stop}",
            float(total(sums[box][there])),
            float(total(off[box][there])),
        )


def _by_pixel(values: Array, shape: tuple[int, ...]) -> Array:
    """Return [h, w] of [h, w], [h, w, c] or [c, h, w], channels added up."""
    if values.ndim == len(shape):
        return values
    found: Array = values.sum(axis=-1 if values.shape[:2] == shape else 0)
    return found


def _cells(given: Array | None, values: Array) -> list[Any]:
    if given is None or given.size != values.size:
        return [None] * values.size
    return [
        it.decode("utf-8", "replace") if isinstance(it, bytes) else it
        for it in given.ravel().tolist()
    ]


def _text(value: object) -> str | None:
    if isinstance(value, list | Mapping):
        return json.dumps(value, ensure_ascii=False)
    return None if value is None or value != value else str(value)
