"""What a full page has of a row of many columns, made where the row is: at once, for all rows.

A page that is nearly full keeps one or a few columns of each of thousands of rows. To read a whole
line of results again, and to cut it down step by step, would take longer than to explain it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import orjson

from pellucid.gallery.page import CUTS, FEW, ROW
from pellucid.gallery.single_numbers import are_numbers

(LEADING, _), (_FEWER, _LETTERS) = CUTS[-2:]
"""So many features of a row are asked for."""


@dataclass(frozen=True, slots=True)
class Leading:
    """Features of a row that are `count` single numbers: those that count most, as JSON, first.

    They are what stands for the text of all of them, where a row has that.
    """

    count: int
    features: Mapping[str, Any]


def brief(row: Mapping[str, Any], leading: Leading, size: int) -> bytes | None:
    """Return what `shortened` makes of a row with the least limit, None where it takes looking.

    `row` is a line of results of `size` bytes, and `leading` the features of its first label, of
    which there is one.
    """
    names = [*leading.features]
    if size <= 2 * ROW or not all(it.isascii() and len(it) <= _LETTERS for it in names):
        return None
    numbers: list[Mapping[str, Any]] = []
    fewer = _cut(row, leading, _FEWER, numbers)
    if fewer is None:
        return None
    found = orjson.dumps(fewer)
    more = names[_FEWER:]
    # Without the numbers themselves, each of which has a letter at least, and a comma.
    least = len(found) + len(numbers) * (sum(map(len, more)) + 3 * len(more) - 8)
    shorter = least < ROW and len(found) + _more(numbers, more) <= ROW
    if shorter and len(orjson.dumps(_cut(row, leading, len(names), []))) <= ROW:
        return None
    return found if len(found) <= 10 * ROW else None


def _more(numbers: Sequence[Mapping[str, Any]], names: Sequence[str]) -> int:
    """Return by how much a row is longer, at least, that has more features of its objects."""
    some = [it[name] for it in numbers for name in names]
    return len(orjson.dumps(some)) + len(numbers) * (sum(map(len, names)) + len(names) - 8)


def _cut(
    row: Mapping[str, Any], leading: Leading, kept: int, numbers: list[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """Return a row with so many `kept` features, None where it has more than a row of a table has.

    The objects of many `numbers` in it are added to these.
    """
    found: dict[str, Any] = {}
    for key, value in row.items():
        if key == "explanation":
            value = _explanation(value, leading, kept, numbers)
        elif key == "prediction" and isinstance(value, np.ndarray):
            value = _first_of(value, min(kept, len(leading.features)))
        elif isinstance(value, dict):
            value = _leading(value, leading, kept, numbers)
        elif not _is_short(value):
            return None
        if value is None:
            return None
        found[key] = value
    return found


def _explanation(
    value: dict[str, Any], leading: Leading, kept: int, numbers: list[Mapping[str, Any]]
) -> dict[str, Any] | None:
    if len(value) != 1:
        return None
    ((kind, labels),) = value.items()
    if not isinstance(labels, list) or len(labels) != 1:
        return None
    label = dict(labels[0])
    for key, inner in label.items():
        if isinstance(inner, dict | orjson.Fragment):
            some = _leading(inner, leading, kept, numbers)
            if some is None:
                return None
            label[key] = some
        elif not _is_short(inner):
            return None
    return {kind: [label]}


def _leading(
    found: dict[str, Any] | orjson.Fragment,
    leading: Leading,
    kept: int,
    numbers: list[Mapping[str, Any]],
) -> dict[str, Any] | None:
    """Return the leading ones of many numbers by name, None where they are not that."""
    names = [*leading.features][:kept]
    if isinstance(found, orjson.Fragment):
        count, inside = leading.count, leading.features
        if count <= FEW:
            return None
    else:
        count, inside = len(found), found
        if count <= FEW or not are_numbers([*islice(found.values(), FEW)]):
            return None
        if not all(map(found.__contains__, names)):
            return None
    numbers.append(inside)
    kept_ones = {name: inside[name] for name in names}
    kept_ones[f"… {count - len(names):,} more"] = None
    return kept_ones


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
