"""Tables and record files, read row by row: they may be larger than the memory."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath

from pellucid.errors import InstanceError
from pellucid.inputs.columns import Beside
from pellucid.inputs.csv import SEPARATED, Row, Table, open_table
from pellucid.inputs.files import lines_of, suffix_of
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.instances import Instance, OnError, each, instance_of, unheard
from pellucid.inputs.parquet import PARQUET, open_parquet
from pellucid.inputs.records import read_records, record_input
from pellucid.notices import Warn, Where


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

    def convert(item: tuple[int, Row]) -> Instance:
        index, row = item
        line = {} if row[0] is None else {"line": row[0]}
        return instance_of_row(table, row, inputs, table.where(row[0], index), line)

    return each(convert, enumerate(table.rows), on_error)


def instance_of_row(
    table: Table,
    row: Row,
    inputs: Sequence[InputInfo],
    where: Where,
    extras: Mapping[str, object] | None = None,
) -> Instance:
    """Return the instance that a row is, or the rows that are its steps; `extras` are kept, too."""
    value = table.value(row, where.instance or 0)
    aside = {**(extras or {}), **table.extras(row, where)}
    instance = instance_of(value, inputs, where, aside)
    return replace(instance, names=table.columns.feature_names)


def read_tfrecord(
    path: str | PathLike[str], inputs: Sequence[InputInfo], *, on_error: OnError | None = None
) -> Iterator[Instance]:
    """Yield the records in a TFRecord file, compressed or not, for a model that parses them.

    Raises `InstanceError` that names the record whose bytes have changed.
    """
    source = fspath(path)
    record_input(inputs, Where(file=source))

    def convert(item: tuple[int, bytes | InstanceError]) -> Instance:
        index, data = item
        if isinstance(data, InstanceError):
            raise data
        value = {"b64": base64.b64encode(data).decode()}
        return instance_of(value, inputs, Where(file=source, instance=index))

    return each(convert, enumerate(read_records(path, source)), on_error)
