"""Values of many instances as one array for each input, and the instances as rows of these.

A value that passes alone costs some microseconds, whatever is in it: with a hundred inputs that is
more than to explain it. Here a whole column passes at once. What is not simply what is wanted is
left to the door that each value goes through, which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from itertools import groupby
from math import prod
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np

from pellucid.inputs.input_info import InputInfo, Missing
from pellucid.inputs.tensors import is_binary, to_arrays
from pellucid.model import Array, Rows, Tensors, TensorsOfRow

# An input of more elements gains nothing; together, instances have about so many of them.
SMALL, ELEMENTS, MOST = 1024, 2**17, 256


def many(inputs: Sequence[InputInfo]) -> int:
    """Return how many instances of a model are best converted together, 1 for large ones."""
    sizes = [_size(info) for info in inputs]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes) or max(known, default=0) > SMALL:
        return 1
    return max(1, min(MOST, ELEMENTS // max(1, sum(known))))


def _size(info: InputInfo) -> int | None:
    """Return how many elements an instance has, None where that is not known."""
    shape = info.instance_shape
    if info.record is not None or info.optional or shape is None or None in shape:
        return None
    return prod(n or 0 for n in shape)


def arrays_of(values: Sequence[object], inputs: Sequence[InputInfo]) -> Rows | None:
    """Return the arrays [n, …] that the values of n instances are, by input.

    None unless each value is simply what is wanted, and named as all others are.
    """
    rows = _rows(values, [info.name for info in inputs])
    if rows is None:
        return None
    alike: dict[Hashable, list[int]] = {}
    for place, info in enumerate(inputs):
        fill = info.name if info.missing is Missing.BASELINE else None
        kind = (info.dtype, info.instance_shape, info.missing, info.finite, fill)
        alike.setdefault(kind, []).append(place)
    found: dict[str, Array] = {}
    for places in alike.values():
        some = rows
        if len(places) < len(inputs):
            pick = itemgetter(*places)
            some = [(pick(row),) for row in rows] if len(places) == 1 else [*map(pick, rows)]
        block = to_arrays(some, inputs[places[0]])
        if block is None:
            return None
        found |= {inputs[place].name: block[i] for i, place in enumerate(places)}
    return Rows({info.name: found[info.name] for info in inputs})


def _rows(values: Sequence[Any], names: Sequence[str]) -> Sequence[Sequence[Any]] | None:
    """Return the values of each instance in the order of the inputs, if all are there."""
    if len(names) == 1 and not any(isinstance(it, Mapping) and not is_binary(it) for it in values):
        return [(it,) for it in values]
    known = dict.fromkeys(names).keys()
    if names == ["b64"] or not all(type(it) is dict and it.keys() == known for it in values):
        return None
    pick = itemgetter(*names)
    return [(pick(it),) for it in values] if len(names) == 1 else [*map(pick, values)]


Part: TypeAlias = tuple[int, Callable[[str], Array]]
"""(The place of the first of some instances, the array [m, …] that they have for an input.)"""


def parts_of(several: Sequence[Mapping[str, Array]]) -> list[Part]:
    """Return instances, in their order, as parts that are arrays already, or one instance each."""
    parts: list[Part] = []
    place = 0
    for _, group in groupby(several, lambda it: id(getattr(it, "arrays", it))):
        rows = [*group]
        if isinstance(rows[0], TensorsOfRow):
            numbers = [it.row for it in rows if isinstance(it, TensorsOfRow)]
            parts.append((place, partial(_taken, rows[0].arrays, numbers)))
        else:
            parts += [(place + i, partial(_alone, it)) for i, it in enumerate(rows)]
        place += len(rows)
    return parts


def _taken(arrays: Tensors, numbers: list[int], name: str) -> Array:
    first, last = numbers[0], numbers[-1] + 1
    run = numbers == [*range(first, last)]  # what stands together need not be copied
    found: Array = arrays[name][first:last] if run else arrays[name][numbers]
    return found


def _alone(tensors: Tensors, name: str) -> Array:
    return np.asarray(tensors[name])[None]
