"""Tables that programs hold: DataFrames, and columns by their names.

pandas is never imported here: what has the columns, the index and the cells of a DataFrame is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, repeat
from typing import Any

import numpy as np

from pellucid.errors import InstanceError
from pellucid.inputs.columns import ID, Beside, Columns, carried_places, columns_of
from pellucid.inputs.csv import Row, Table, gathered
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.parquet import as_requested
from pellucid.inputs.records.example import named_inputs
from pellucid.inputs.series import are_steps, is_time, step_columns
from pellucid.inputs.tensors import check_names, plain
from pellucid.notices import Notice, Where

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


def open_frame(
    frame: Any, inputs: Sequence[InputInfo], beside: Beside = Beside(), limit: int | None = None
) -> Table:
    """Return a DataFrame as a table of at most `limit` instances: see `columns_of`.

    Its index is the id, unless it only counts; where its rows are time steps, see `step_columns`,
    the index may be their time, or, of several levels, their ids and times.
    Raises InstanceError where the columns do not fit the model.
    """
    if are_steps(_titles(frame), inputs, beside, THE_TABLE):
        return _limited(_open_steps(frame, inputs[0], beside), limit)
    frame = frame if limit is None else frame.iloc[:limit]
    labels = list(frame.columns)
    ids = _ids(frame.index)
    if beside.id is not None and beside.id in frame.index.names and beside.id not in labels:
        ids = ids or [str(it) for it in frame.index]
        beside = replace(beside, id=None)
    titles = _titles(frame)
    columns = columns_of(
        titles, named_inputs(inputs, titles), beside, THE_TABLE, lambda it: not _is_named(frame)
    )
    carried = carried_places(titles, beside, THE_TABLE)
    return _table(columns, titles, _columns(frame, columns, carried), ids, carried)


def _open_steps(frame: Any, info: InputInfo, beside: Beside) -> Table:
    """Return a DataFrame whose rows are time steps as a table."""
    named = _is_named(frame)
    frame, beside, notices = _with_index(frame, beside)
    titles = _titles(frame)
    columns = step_columns(titles, info, beside, THE_TABLE, lambda it: not named)
    columns = replace(columns, notices=(*notices, *columns.notices))
    carried = carried_places(titles, beside, THE_TABLE)
    return _table(columns, titles, _columns(frame, columns, carried), None, carried)


def _with_index(frame: Any, beside: Beside) -> tuple[Any, Beside, list[Notice]]:
    """Return a DataFrame with those levels of its index as columns that are times or ids.

    What was asked for by name; else, a level that holds dates or is called as times are is the
    time, and one whose labels repeat is the id. What else the index says is left out, which is
    noted unless it only counts.
    """
    labels, names = list(frame.columns), list(frame.index.names)
    free = {i for i, it in enumerate(names) if it is None or it not in labels}
    taken = {
        role: i
        for role, asked in (("id", beside.id), ("time", beside.time))
        for i in free
        if asked is not None and names[i] == asked
    }
    found = _roles(frame.index, free - {*taken.values()})
    if beside.id is not None:
        found.pop("id", None)
    if beside.time is not None or any(is_time(str(it)) for it in labels):
        found.pop("time", None)
    taken |= found
    notices: list[Notice] = []
    left = [i for i in range(len(names)) if i not in taken.values()]
    if left and (len(names) > 1 or _ids(frame.index) is not None):
        which = "" if len(names) == 1 else f", level {' and '.join(str(i + 1) for i in left)},"
        notices.append(Notice(f"its index{which} is left out", THE_TABLE))
    levels = sorted(taken.values())
    frame = frame.reset_index(level=levels) if levels else frame
    titles = {role: str(frame.columns[levels.index(i)]) for role, i in taken.items()}
    for role in found:
        notices.append(Notice(f"its index '{titles[role]}' is taken for the {role}", THE_TABLE))
    times, ids = titles.get("time", beside.time), titles.get("id", beside.id)
    return frame, replace(beside, time=times, id=ids), notices


def _roles(index: Any, levels: set[int]) -> dict[str, int]:
    """Return which of some levels is the time, and which the id, where there is only one."""
    found = {"time": list[int](), "id": list[int]()}
    for i in sorted(levels):
        values, name = index.get_level_values(i), index.names[i]
        if getattr(values.dtype, "kind", "") in "mM" or (name is not None and is_time(str(name))):
            found["time"].append(i)
        elif not values.is_unique:
            found["id"].append(i)
    return {role: them[0] for role, them in found.items() if len(them) == 1}


def _is_named(frame: Any) -> bool:
    """Whether somebody named the columns; else they are elements or channels, in order."""
    return any(isinstance(label, str) for label in frame.columns)


def _titles(frame: Any) -> list[str]:
    return [str(label) for label in frame.columns]


def _columns(
    frame: Any, columns: Columns, carried: Mapping[str, int]
) -> list[Sequence[Any] | None]:
    """Return the cells of those columns that are taken. Raises InstanceError if there are none."""
    if not len(frame):
        raise InstanceError("has no rows, there is nothing to explain", where=THE_TABLE)
    taken = _taken(columns, carried)
    return [_cells(frame.iloc[:, i]) if i in taken else None for i in range(columns.width)]


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
        steps = False
    else:
        steps = are_steps(titles, inputs, beside, Where())
    columns = (
        step_columns(titles, inputs[0], beside, Where())
        if steps
        else columns_of(titles, known, beside, Where())
    )
    carried = carried_places(titles, beside, Where())
    taken = _taken(columns, carried)
    found = [value if i in taken else None for i, value in enumerate(given.values())]
    return _table(columns, titles, [_cells(it) for it in found], None, carried)


def _limited(table: Table, limit: int | None) -> Table:
    return replace(table, rows=islice(table.rows, limit))


def _table(
    columns: Columns,
    titles: Sequence[str],
    cells: Sequence[Sequence[Any] | None],
    ids: Sequence[str] | None,
    carried: Mapping[str, int],
) -> Table:
    if ids is not None and ID not in columns.aside.values():
        columns = replace(
            columns, width=columns.width + 1, aside={**columns.aside, columns.width: ID}
        )
        cells = [*cells, ids]
    return Table(
        columns=columns, rows=gathered(_rows(cells), columns, None), source=None, typed=True,
        titles=tuple(titles), notices=columns.notices, carried=carried,
    )  # fmt: skip


def _rows(cells: Sequence[Sequence[Any] | None]) -> Iterator[Row]:
    lengths = {len(it) for it in cells if it is not None}
    whole = [repeat(None, max(lengths)) if it is None else it for it in cells]
    for row in zip(*whole, strict=True):
        yield None, list(row)


def _taken(columns: Columns, carried: Mapping[str, int]) -> set[int]:
    times = () if columns.time is None else (columns.time,)
    return {*columns.places, *columns.aside, *carried.values(), *times}


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
