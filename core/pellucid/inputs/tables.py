"""Tables and record files, read row by row: they may be larger than the memory."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike

from pellucid.errors import InstanceError
from pellucid.inputs.by_column import many
from pellucid.inputs.columns import Beside
from pellucid.inputs.csv import SEPARATED, Row, Table, open_table
from pellucid.inputs.files import lines_of, suffix_of
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.instances import (
    Instance,
    OnError,
    Said,
    each,
    each_of_some,
    instance_of,
    made_of,
    tried,
    unheard,
)
from pellucid.inputs.parquet import PARQUET, open_parquet
from pellucid.inputs.records import read_records, record_input
from pellucid.notices import Warn, Where
from pellucid.remote import place_of


def open_table_file(
    path: str | PathLike[str], inputs: Sequence[InputInfo], source: str, beside: Beside = Beside()
) -> Table:
    """Return the table in a file: its suffix says what separates the columns, or that it has types.

    Raises InstanceError, and DependencyError for Parquet without its package.
    """
    suffix = suffix_of(path)
    if suffix == PARQUET:
        return open_parquet(path, inputs, source, beside)
    lines = lines_of(path, source)
    return open_table(lines, inputs, source, beside, separator=SEPARATED[suffix])


def read_csv(
    lines: Iterable[str],
    inputs: Sequence[InputInfo],
    *,
    source: str | None = None,
    on_error: OnError | None = None,
    beside: Beside = Beside(),
    separator: str | None = None,
    note: Warn = unheard,
) -> Iterator[Instance]:
    """Yield one instance for each row of a table whose first row names the columns.

    Each column is an input (several numbers in one cell are written as a JSON list), or the columns
    in order are the elements of the model's single vector input, and then the first row may be
    missing if it is all numbers. What is `beside` the inputs is set aside. Blank rows are skipped.
    `note` is told what was found of the columns. Raises `InstanceError` with the line.
    """
    table = open_table(lines, inputs, source, beside, separator=separator)
    return read_table(table, inputs, on_error=on_error, note=note)


def read_table(
    table: Table,
    inputs: Sequence[InputInfo],
    *,
    on_error: OnError | None = None,
    note: Warn = unheard,
) -> Iterator[Instance]:
    """Yield one instance for each row of an open table."""
    for notice in table.notices:
        note(notice)

    def converted(some: Sequence[tuple[int, Row]]) -> Iterator[Instance | InstanceError]:
        rows = [row for _, row in some]
        wheres = [table.where(row[0], index) for index, row in some]
        lines = [{} if row[0] is None else {"line": row[0]} for row in rows]
        return instances_of_rows(table, rows, inputs, wheres, lines)

    return each_of_some(converted, enumerate(table.rows), many(inputs), on_error)


def instances_of_rows(
    table: Table,
    rows: Sequence[Row],
    inputs: Sequence[InputInfo],
    wheres: Sequence[Where],
    extras: Sequence[Mapping[str, object]] = (),
) -> Iterator[Instance | InstanceError]:
    """Yield the instance that each row is, or the rows that are its steps, or what is wrong.

    `extras` are kept, too.
    """

    def said(value: object, row: Row, where: Where, kept: Mapping[str, object]) -> Said:
        return value, where, {**kept, **table.extras(row, where)}

    values = table.values(rows, [where.instance or 0 for where in wheres])
    read = (
        value if isinstance(value, InstanceError) else tried(said, value, row, where, kept)
        for value, row, where, kept in zip(
            values, rows, wheres, extras or [{}] * len(rows), strict=True
        )
    )
    names = table.columns.feature_names
    for found in made_of(read, inputs):
        if names is None or isinstance(found, InstanceError):
            yield found
        else:
            yield replace(found, names=names)


def read_tfrecord(
    path: str | PathLike[str], inputs: Sequence[InputInfo], *, on_error: OnError | None = None
) -> Iterator[Instance]:
    """Yield the records in a TFRecord file, compressed or not, for a model that parses them.

    Raises `InstanceError` that names the record whose bytes have changed.
    """
    source = place_of(path)
    record_input(inputs, Where(file=source))

    def convert(item: tuple[int, bytes | InstanceError]) -> Instance:
        index, data = item
        if isinstance(data, InstanceError):
            raise data
        value = {"b64": base64.b64encode(data).decode()}
        return instance_of(value, inputs, Where(file=source, instance=index))

    return each(convert, enumerate(read_records(path, source)), on_error)
