"""Tables that programs hold: DataFrames, and columns by their names.

pandas is never imported here: what has the columns, the index and the cells of a DataFrame is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any

import numpy as np

from pellucid.errors import InstanceError
from pellucid.inputs.columns import ID, Beside, Columns, columns_of
from pellucid.inputs.csv import Row, Table
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.parquet import as_requested
from pellucid.inputs.records.example import named_inputs
from pellucid.inputs.tensors import check_names, plain
from pellucid.notices import Where

THE_TABLE = Where(name="the table")


def is_frame(value: object) -> bool:
    """Whether something is a DataFrame."""
    return _is_of_pandas(value) and hasattr(value, "columns")


def is_series(value: object) -> bool:
    """Whether something is a Series: one column, or one row, of a DataFrame."""
    return _is_of_pandas(value) and not hasattr(value, "columns")


def _is_of_pandas(value: object) -> bool:
    return not isinstance(value, type) and all(
        hasattr(value, name) for name in ("iloc", "index", "isna")
    )


def open_frame(frame: Any, inputs: Sequence[InputInfo], beside: Beside = Beside()) -> Table:
    """Return a DataFrame as a table: see `columns_of`. Its index is the id, unless it only counts.

    Raises InstanceError where the columns do not fit the model.
    """
    labels = list(frame.columns)
    ids = _ids(frame.index)
    if beside.id is not None and beside.id in frame.index.names and beside.id not in labels:
        ids = ids or [str(it) for it in frame.index]
        beside = replace(beside, id=None)
    titles = [str(label) for label in labels]
    # Columns that nobody named are the elements of a vector, in order.
    named = any(isinstance(label, str) for label in labels)
    columns = columns_of(
        titles, named_inputs(inputs, titles), beside, THE_TABLE, lambda it: not named
    )
    if not len(frame):
        raise InstanceError("has no rows, there is nothing to explain", where=THE_TABLE)
    found = [frame.iloc[:, i] if i in _taken(columns) else None for i in range(len(titles))]
    return _table(columns, [_cells(it) for it in found], ids)


def open_columns(
    given: Mapping[str, Any], inputs: Sequence[InputInfo], beside: Beside = Beside()
) -> Table:
    """Return columns by their names as a table: arrays, lists or Series, a value for each row.

    Raises InstanceError where they do not fit each other, or the model.
    """
    lengths = {name: _length(value) for name, value in given.items()}
    if len(set(lengths.values())) != 1 or None in lengths.values():
        raise _uneven(lengths)
    if not next(iter(lengths.values())):
        raise InstanceError("has no rows, there is nothing to explain", where=THE_TABLE)
    titles = [str(name) for name in given]
    known = named_inputs(inputs, titles)
    if any(_is_nested(value) for value in given.values()):
        # No column of a vector has vectors in it: these are inputs, if anything.
        inner = [it for it in titles if it not in beside.names]
        check_names(inner, {info.name: info for info in known}, Where(), "input")
    columns = columns_of(titles, known, beside, Where())
    taken = _taken(columns)
    found = [value if i in taken else None for i, value in enumerate(given.values())]
    return _table(columns, [_cells(it) for it in found], None)


def _table(
    columns: Columns, cells: Sequence[Sequence[Any] | None], ids: Sequence[str] | None
) -> Table:
    if ids is not None and ID not in columns.aside.values():
        columns = replace(
            columns, width=columns.width + 1, aside={**columns.aside, columns.width: ID}
        )
        cells = [*cells, ids]
    return Table(
        columns=columns, rows=_rows(cells), source=None, typed=True, notices=columns.notices
    )


def _rows(cells: Sequence[Sequence[Any] | None]) -> Iterator[Row]:
    lengths = {len(it) for it in cells if it is not None}
    whole = [repeat(None, max(lengths)) if it is None else it for it in cells]
    for row in zip(*whole, strict=True):
        yield None, list(row)


def _taken(columns: Columns) -> set[int]:
    return {*columns.places, *columns.aside}


def _ids(index: Any) -> list[str] | None:
    """Return the labels of rows as ids, None where they only count the rows."""
    if type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1:
        return None
    return [
        ", ".join(map(str, label)) if isinstance(label, tuple) else str(label) for label in index
    ]


def _cells(column: Any) -> Sequence[Any] | None:
    """Return the values of a column as a request would hold them; what is missing is None or NaN.

    That is so in every type that pandas has for it; categories are their values.
    """
    if column is None:
        return None
    if _is_of_pandas(column):
        missing = column.isna().tolist()
        return [
            _missing(value) if lost is True else _value(value)
            for value, lost in zip(column.tolist(), missing, strict=True)
        ]
    if not isinstance(column, list | tuple):
        column = np.asarray(column)
        return column.tolist() if column.ndim == 1 and column.dtype != object else [*column]
    return [_value(it) for it in column]


def _value(value: Any) -> Any:
    # An array stays one: made into numbers and back, it would cost more than to explain it.
    array = isinstance(value, np.ndarray) and value.ndim > 0
    return as_requested(value if array else plain(value))


def _missing(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _length(column: Any) -> int | None:
    """Return how many values a column has, None where it is no column."""
    if isinstance(column, str | bytes | Mapping):
        return None
    if isinstance(column, list | tuple):
        return len(column)
    shape = np.shape(column)
    return int(shape[0]) if shape else None


def _is_nested(column: Any) -> bool:
    if not isinstance(column, list | tuple):
        return np.ndim(column) > 1
    return bool(column) and (isinstance(column[0], list | tuple) or np.ndim(column[0]) > 0)


def _uneven(lengths: Mapping[str, int | None]) -> InstanceError:
    found: dict[int, str] = {}
    for name, length in lengths.items():
        found.setdefault(length or 0, str(name))
    if len(found) > 1 and None not in lengths.values():
        (one, first), (other, second) = sorted(found.items(), key=lambda it: -it[0])[:2]
        return InstanceError(
            "columns need the same number of rows in each, and "
            f"'{first}' has {one:,}, '{second}' has {other:,}"
        )
    return InstanceError(
        "a mapping of inputs to arrays needs the same number of rows in each",
        hint="for one instance, give a list of one object",
    )
