"""Batches, one after the other, made into rows: of `tf.data.Dataset`, a loader, a generator.

Nothing here knows TensorFlow: a tensor is what numpy can make an array of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.errors import InstanceError
from pellucid.inputs import InputInfo, shape_text
from pellucid.model import Array

ENDLESS = -1
"""What a `tf.data.Dataset` that goes on for ever says of its cardinality."""


@dataclass(slots=True)
class Rows:
    """What was taken of batches: instances one by one, or columns by their names.

    `labelled` tells that labels beside them were left out, `more` that not all were taken.
    """

    instances: list[Any] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    labelled: bool = False
    more: bool = False

    @property
    def count(self) -> int:
        return max(len(self.instances), *map(len, self.columns.values()), 0)


def rows_of_batches(source: Iterable[Any], inputs: Sequence[InputInfo], limit: int | None) -> Rows:
    """Return the rows of batches, at most `limit` of them; no more is read than is needed for it.

    An element is a batch of inputs or one instance, a mapping of either, or a tuple of one of these
    with labels and weights. Raises InstanceError for others, and for a dataset that never ends
    where there is no limit.
    """
    if limit is None and is_endless(source):
        what = "the dataset is endless"
        raise InstanceError(what, hint="take a part of it, as with dataset.take(100)")
    found = Rows()
    for number, element in enumerate(source):
        if limit is not None and found.count >= limit:
            found.more = True
            break
        _add(found, element, inputs, number)
    if limit is not None and found.count > limit:
        found.more = True
        del found.instances[limit:]
        for values in found.columns.values():
            del values[limit:]
    if not found.count:
        raise InstanceError("there are no instances in the batches, there is nothing to explain")
    return found


def is_endless(source: Any) -> bool:
    """Whether a `tf.data.Dataset` is known to go on for ever."""
    cardinality = getattr(source, "cardinality", None)
    return callable(cardinality) and int(cardinality()) == ENDLESS


def _add(found: Rows, element: Any, inputs: Sequence[InputInfo], number: int) -> None:
    if _is_labelled(element):
        found.labelled = found.labelled or len(element) > 1
        element = element[0]
        if not isinstance(element, Mapping) and len(inputs) > 1:
            raise _unnamed(inputs)
    if isinstance(element, Mapping):
        if not any(map(_is_tensor, element.values())):
            found.instances.append(element)
            return
        arrays = {str(k): _array(v, f"'{k}' of batch {number}") for k, v in element.items()}
        known = {info.name: info for info in inputs}
        batched = {k: _is_batched(v, known.get(k)) for k, v in arrays.items()}
        for name, value in arrays.items():
            # One of them tells of all, where the shape of another could be either.
            rows = list(value) if all(batched.values()) else [value]
            found.columns.setdefault(name, []).extend(rows)
    elif _is_tensor(element):
        if len(inputs) > 1:
            raise _unnamed(inputs)
        array = _array(element, f"batch {number}")
        found.instances += list(array) if _is_batched(array, inputs[0]) else [array]
    else:
        found.instances.append(element)


def _is_labelled(element: Any) -> bool:
    """Whether an element is inputs with what comes beside them, as ``(x, y)``."""
    if not isinstance(element, tuple | list) or not element:
        return False
    first = element[0]
    return isinstance(first, Mapping | tuple) or _is_tensor(first)


def _is_tensor(value: Any) -> bool:
    # A number of numpy's has a shape, too, and a row of such is a row of numbers.
    return hasattr(value, "shape") and not isinstance(value, np.generic)


def _array(value: Any, whose: str) -> Array:
    if hasattr(value, "row_splits") or not hasattr(value, "__array__"):
        kind = type(value).__name__
        hint = "make it dense first, as tf.sparse.to_dense or its to_tensor() does"
        raise InstanceError(f"{whose} is a {kind}, and no array", hint=hint)
    return np.asarray(value)


def _is_batched(value: Array, info: InputInfo | None) -> bool:
    """Whether an array is several rows; columns that are no inputs are features, one value each."""
    shape = () if info is None else info.instance_shape
    if shape is None:
        return value.ndim > 0
    # [1] is one value in its brackets, or one value alone: both mean the same.
    return value.ndim > len(shape) or (len(shape) == value.ndim == 1 and shape[0] == 1)


def _unnamed(inputs: Sequence[InputInfo]) -> InstanceError:
    listed = ", ".join(f"'{it.name}' {shape_text(it.instance_shape or ())}" for it in inputs)
    return InstanceError(
        f"the model has {len(inputs)} inputs, and batches have to give them by their names, in a "
        "dictionary",
        hint=f"they are {listed}",
    )
