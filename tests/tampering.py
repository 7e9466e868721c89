"""Documents and arrays as somebody may have changed them: every field, to whatever there is."""

from __future__ import annotations

import copy
import random
from collections.abc import Container, Iterator
from typing import Any

import numpy as np

STRANGE = (
    None,
    True,
    -1,
    2**63,
    1e308,
    "",
    "\x1b[31m\n../..",
    [],
    [[]],
    {},
    {"a": 1},
    [None],
    ["a", 2],
)
# Deeper than Python reads.
DEEP = "[" * 100_000
ARRAYS = [
    np.array("text"), np.array(["a", "b"]), np.zeros(0), np.array(np.nan), np.zeros([2, 3], int),
    np.zeros([0, 8]), np.zeros((1,) * 20), np.array([True]), np.full(3, np.inf), np.ones(3, complex),
    np.array(["2020-01-01"], "M8[D]"), np.zeros(2, [("a", "f4")]), np.array([b"x"]),
]  # fmt: skip


def tampered(
    document: Any, *, seed: int = 20, each: int = 2, without: Container[str] = ()
) -> Iterator[Any]:
    """Yield a document with each of its values changed, or missing, but for those below a key."""
    chance = random.Random(seed)
    for place in _places(document):
        if any(key in without for key in place):
            continue
        for value in chance.sample(STRANGE, each):
            yield _with(document, place, value)
        if place and isinstance(place[-1], str):
            less = copy.deepcopy(document)
            inner = less
            for key in place[:-1]:
                inner = inner[key]
            del inner[place[-1]]
            yield less


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(inner, (*place, key))


def _with(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    changed = copy.copy(document)
    changed[place[0]] = _with(document[place[0]], place[1:], value)
    return changed
