"""Instances as programs hold them, and the names of those that fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pellucid.errors import InstanceError
from pellucid.inputs import InputInfo, Instance, stack
from pellucid.model import Array


def rows_of(instances: Any) -> list[Any]:
    """Return instances one by one: of a list, of an array, or of columns by their names."""
    if isinstance(instances, np.ndarray):
        instances = list(instances)
    if isinstance(instances, Mapping):
        columns = {name: np.asarray(value) for name, value in instances.items()}
        lengths = {len(c) for c in columns.values() if c.ndim}
        if len(lengths) != 1 or any(not c.ndim for c in columns.values()):
            raise InstanceError(
                "a mapping of inputs to arrays needs the same number of rows in each",
                hint="for one instance, give a list of one object",
            )
        instances = [{k: c[i] for k, c in columns.items()} for i in range(lengths.pop())]
    return list(instances)


@contextmanager
def naming(group: Sequence[Instance]) -> Iterator[None]:
    """Give an InstanceError the place of its instance: the file, and where it is in it."""
    try:
        yield
    except InstanceError as error:
        index, row = error.where.instance, error.row
        found = [it for it in group if it.index == index]
        if index is None and row is not None:
            found = list(group[row : row + 1])
        if not found:
            raise
        raise error.at(found[0].where) from error


def stacked(
    groups: Sequence[Sequence[Instance]], inputs: Sequence[InputInfo]
) -> list[dict[str, Array]]:
    """Return one request's arrays, [n, …], for each group of instances of one shape."""
    requests = []
    for group in groups:
        with naming(group):
            requests.append(stack(group, inputs))
    return requests
