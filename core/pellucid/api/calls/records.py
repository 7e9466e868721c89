"""Instances as programs hold them, and the names of those that fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from pellucid.api.calls.batches import rows_of_batches
from pellucid.errors import InstanceError
from pellucid.inputs import (
    Beside,
    InputInfo,
    Instance,
    is_frame,
    is_series,
    open_columns,
    open_frame,
    read_request,
    read_table,
)
from pellucid.notices import Hint, Notice, Warn

LIMIT = 1000
"""Instances that are taken of what is read batch by batch, where nobody says how many."""


def records_of(
    instances: Any,
    inputs: Sequence[InputInfo],
    beside: Beside,
    *,
    limit: int | None = None,
    default: int | None = LIMIT,
    warn: Warn,
    note: Warn,
) -> list[Instance]:
    """Return instances in whatever form programs hold them, at most `limit` of them.

    Of what is read batch by batch, at most `default` are taken where there is no limit, and `warn`
    is told that there are more; `note` is told what was found of columns. Raises InstanceError.
    """
    if is_series(instances):
        instances = _framed(instances, inputs, beside)
    if is_frame(instances):
        return list(read_table(open_frame(instances, inputs, beside, limit), inputs, note=note))
    if isinstance(instances, Mapping):
        table = open_columns(instances, inputs, beside)
        return list(islice(read_table(table, inputs, note=note), limit))
    if isinstance(instances, str | bytes):
        instances = [instances]
    if not isinstance(instances, list | tuple):
        if hasattr(instances, "__array__"):
            instances = _rows(np.asarray(instances))
        elif isinstance(instances, Iterable):
            rows = rows_of_batches(instances, inputs, default if limit is None else limit)
            if rows.labelled:
                note(Notice("the labels in the batches are left out"))
            if rows.more and limit is None:
                what = f"the first {default:,} instances are explained, and there are more"
                warn(Notice(what, hint=Hint("{limit} takes others")))
            if rows.columns:
                return list(read_table(open_columns(rows.columns, inputs, beside), inputs))
            instances = rows.instances
        else:
            raise _no_instances(instances)
    items = list(instances[:limit])
    records = [item for item in items if isinstance(item, Instance)]
    if records and len(records) == len(items):
        return records
    return list(read_request({"instances": items}, inputs, beside=beside).instances)


def _rows(array: Any) -> list[Any]:
    if not array.ndim:
        raise _no_instances(array)
    return list(array)


def _framed(series: Any, inputs: Sequence[InputInfo], beside: Beside) -> Any:
    """Return a Series as a DataFrame: one row, a column, or the steps of the only channel."""
    if _is_row(series, inputs):
        return series.to_frame().T
    info = inputs[0]
    shape = info.instance_shape or ()
    numbers = not info.is_string and getattr(series.dtype, "kind", "O") in "biuf"
    if len(inputs) == 1 and numbers and shape != (1,):
        if len(shape) == 2 or (shape and beside.time is not None):
            return series.to_frame(info.feature_names[0] if info.feature_names else "value")
        if shape:
            return series.to_frame().T
    return series.to_frame(info.name)


def _is_row(series: Any, inputs: Sequence[InputInfo]) -> bool:
    """Whether a Series is a row of a DataFrame: its labels are the names of columns."""
    known = {it.name for it in inputs} | {it for info in inputs for it in info.feature_names or ()}
    return not known.isdisjoint(it for it in series.index if isinstance(it, str))


def _no_instances(given: object) -> InstanceError:
    kind = "None" if given is None else f"a {type(given).__name__}"
    return InstanceError(
        "instances are a list, an array, a DataFrame, columns by their names or batches, got "
        f"{kind}"
    )


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
