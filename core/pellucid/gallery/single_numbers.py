"""What most values of a wide row are: single numbers, or lists of one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any


def is_number(value: object) -> bool:
    """Whether a value is a number, or a list of one: most are, where there are many."""
    if type(value) is list and len(value) == 1:
        value = value[0]
    return type(value) is float


def are_numbers(values: Collection[Any]) -> bool:
    """Whether all values are numbers, or lists of one."""
    kinds = {*map(type, values)}
    if kinds == {float}:
        return True
    if kinds == {list} and {*map(len, values)} == {1}:
        return {type(it) for (it,) in values} == {float}
    return all(map(is_number, values))


def sizes_of(values: Iterable[Any]) -> list[Any] | None:
    """Return single values without their lists, None where any is not a number."""
    found = [it[0] if type(it) is list and len(it) == 1 else it for it in values]
    return found if {*map(type, found)} <= {float, int} else None
