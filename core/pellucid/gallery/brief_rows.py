"""What a full page has of a row of many columns, made where the row is: at once, for all rows.

A page that is nearly full keeps one or a few columns of each of thousands of rows. To read a whole
line of results again, and to cut it down step by step, would take longer than to explain it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import orjson

from pellucid.gallery.page import CUTS, FEW, ROW

(LEADING, _), (_FEWER, _LETTERS) = CUTS[-2:]
"""So many features of a row are asked for."""


def brief(row: Mapping[str, Any], leading: Sequence[str], size: int) -> bytes | None:
    """Return what `shortened` makes of a row with the least limit, None where it takes looking.

    `row` is a line of results of `size` bytes, and `leading` its features, those first that count
    most for its first label, of which there is one.
    """
    if size <= 2 * ROW or not all(it.isascii() and len(it) <= _LETTERS for it in leading):
        return None
    numbers: list[dict[str, Any]] = []
    fewer = _cut(row, leading[:_FEWER], numbers)
    if fewer is None:
        return None
    found = orjson.dumps(fewer)
    shorter = len(found) + _more(numbers, leading[_FEWER:]) <= ROW
    if shorter and len(orjson.dumps(_cut(row, leading, []))) <= ROW:
        return None
    return found if len(found) <= 10 * ROW else None


def _more(numbers: Sequence[dict[str, Any]], names: Sequence[str]) -> int:
    """Return by how much a row is longer, at least, that has more features of its objects."""
    some = [it[name] for it in numbers for name in names]
    return len(orjson.dumps(some)) + len(numbers) * (sum(map(len, names)) + len(names) - 8)


def _cut(
    row: Mapping[str, Any], leading: Sequence[str], numbers: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """Return a row with so many features, None where it has more than a row of a table has.

    The objects of many `numbers` in it are added to these.
    """
    found: dict[str, Any] = {}
    for key, value in row.items():
        if key == "explanation":
            value = _explanation(value, leading, numbers)
        elif key == "prediction" and isinstance(value, np.ndarray):
            value = _first_of(value, len(leading))
        elif isinstance(value, dict):
            value = _leading(value, leading, numbers)
        elif not _is_short(value):
            return None
        if value is None:
            return None
        found[key] = value
    return found


def _explanation(
    value: dict[str, Any], leading: Sequence[str], numbers: list[dict[str, Any]]
) -> dict[str, Any] | None:
    if len(value) != 1:
        return None
    ((kind, labels),) = value.items()
    if not isinstance(labels, list) or len(labels) != 1:
        return None
    label = dict(labels[0])
    for key, inner in label.items():
        if isinstance(inner, dict):
            some = _leading(inner, leading, numbers)
            if some is None:
                return None
            label[key] = some
        elif not _is_short(inner):
            return None
    return {kind: [label]}


def _leading(
    found: dict[str, Any], leading: Sequence[str], numbers: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """Return the leading ones of many numbers by name, None where they are not that."""
    if len(found) <= FEW or not all(map(_is_number, islice(found.values(), FEW))):
        return None
    if any(name not in found for name in leading):
        return None
    numbers.append(found)
    more = len(found) - len(leading)
    return {**{name: found[name] for name in leading}, f"… {more:,} more": None}


def _first_of(values: np.ndarray[Any, Any], count: int) -> list[Any] | None:
    if values.ndim != 1 or values.dtype.kind != "f":
        return None
    kept: list[Any] = values[:count].tolist()
    more = len(values) - len(kept)
    return [*kept, f"… {more:,} more"] if more else kept


def _is_short(value: object) -> bool:
    if isinstance(value, str):
        return value.isascii() and len(value) <= _LETTERS
    return value is None or type(value) is float or (type(value) is int and abs(value) < 2**63)


def _is_number(value: object) -> bool:
    if type(value) is list and len(value) == 1:
        value = value[0]
    return type(value) is float
