"""Cells of many rows of a table read at once, where they are as plain as most cells are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
import orjson

from pellucid.inputs.by_column.plain_lines import PlainLine
from pellucid.inputs.input_info import InputInfo

# Beyond them, a whole number might have become another kind of number.
_WHOLE = 2.0**63

Cells: TypeAlias = Sequence[Any]
Picked: TypeAlias = list[tuple[Any, ...]]


def plain_rows(
    rows: Sequence[Cells], places: Sequence[int], inputs: Sequence[InputInfo], *, typed: bool
) -> list[tuple[Any, ...] | None]:
    """Return the values of each row, in the order of `inputs`, whose cells are at `places`.

    None for a row whose cells have to be read one by one: text that is not simply a number as JSON
    has it where one is wanted, and what may be a missing value.
    """
    if not rows:
        return []
    if typed:
        picked = _picker(places)(rows)
        return [row if _is_typed(row) else None for row in picked]
    if any(info.dtype == "bool" or info.optional for info in inputs):
        return [None] * len(rows)
    if lines := _lines(rows, places, inputs):
        return _numbers(lines, len(places))
    texts = [i for i, info in enumerate(inputs) if info.is_string]
    numbers = [i for i, info in enumerate(inputs) if not info.is_string]
    found: list[tuple[Any, ...] | None] = [()] * len(rows)
    if numbers:
        picked = _picker([places[i] for i in numbers])(rows)
        found = _numbers([*map(",".join, picked)], len(numbers))
    if not texts:
        return found
    order = _picker([*map([*numbers, *texts].index, range(len(inputs)))])
    result: list[tuple[Any, ...] | None] = []
    for row, words in zip(found, _picker([places[i] for i in texts])(rows), strict=True):
        listed = any(word.startswith('["') for word in words)
        result.append(None if row is None or listed else order([(*row, *words)])[0])
    return result


def _picker(places: Sequence[int]) -> Callable[[Sequence[Cells]], Picked]:
    if len(places) == 1:
        (place,) = places
        return lambda rows: [(row[place],) for row in rows]
    pick = itemgetter(*places)
    return lambda rows: [*map(pick, rows)]


def _is_typed(row: tuple[Any, ...]) -> bool:
    """Whether nothing is missing: neither None nor NaN."""
    kinds = set(map(type, row))
    if not kinds <= {int, float, str, bool, list, np.ndarray}:
        return False
    return float not in kinds or all(it == it for it in row if type(it) is float)


def _lines(rows: Sequence[Cells], places: Sequence[int], inputs: Sequence[InputInfo]) -> list[str]:
    """Return the text of rows that are nothing but numbers between commas, if all may be that."""
    if [*places] != [*range(len(rows[0]))] or any(info.is_string for info in inputs):
        return []
    found = [it.text for it in rows if isinstance(it, PlainLine) and it.separator == ","]
    return found if len(found) == len(rows) else []


def _numbers(rows: Sequence[str], width: int) -> list[tuple[Any, ...] | None]:
    """Return the `width` numbers that rows of text are; all are tried together first."""
    try:
        found = orjson.loads(f"[[{'],['.join(rows)}]]")
    except (orjson.JSONDecodeError, TypeError):
        found = []
    # A cell with a comma or a bracket in it makes more of them.
    if len(found) == len(rows) and all(len(row) == width for row in found):
        leaves = [*chain.from_iterable(found)]
        if {*map(type, leaves)} <= {int, float} and max(leaves) < _WHOLE and min(leaves) > -_WHOLE:
            return [*map(tuple, found)]
    return [None] if len(rows) == 1 else [it for row in rows for it in _numbers([row], width)]
