"""Parquet files as tables: their cells are values already, read a few rows at a time."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from os import PathLike, fspath
from typing import Any

from pellucid.errors import DependencyError, InstanceError
from pellucid.files import check_regular
from pellucid.inputs.columns import Beside, carried_places, columns_of
from pellucid.inputs.csv import Row, Table, gathered
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.records.example import named_inputs
from pellucid.inputs.series import are_steps, step_columns
from pellucid.notices import Where
from pellucid.remote import address_of, copied

PARQUET = ".parquet"
ROWS = 1024


def open_parquet(
    path: str | PathLike[str], inputs: Sequence[InputInfo], source: str, beside: Beside = Beside()
) -> Table:
    """Return the table in a file: see `columns_of`. Raises InstanceError, DependencyError."""
    parquet = pyarrow_parquet()
    address = address_of(path, InstanceError)
    try:
        # The copy of an object stays there for whom it is open.
        with nullcontext(path) if address is None else copied(address, InstanceError) as place:
            check_regular(place)
            file = parquet.ParquetFile(fspath(place))
    except (OSError, ValueError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else _reason(error)
        raise InstanceError(reason, where=Where(file=source)) from None
    titles = list(file.schema_arrow.names)
    where = Where(file=source)
    if are_steps(titles, inputs, beside, where):
        columns = step_columns(titles, inputs[0], beside, where)
    else:
        columns = columns_of(titles, named_inputs(inputs, titles), beside, where)
    return Table(
        columns=columns, rows=gathered(_rows(file, source), columns, source), source=source,
        typed=True, titles=tuple(titles), notices=columns.notices,
        carried=carried_places(titles, beside, where),
    )  # fmt: skip


def _rows(file: Any, source: str) -> Iterator[Row]:
    try:
        for batch in file.iter_batches(batch_size=ROWS):
            columns = [column.to_pylist() for column in batch.columns]
            for row in range(batch.num_rows):
                yield None, [as_requested(column[row]) for column in columns]
    # pyarrow says NotImplementedError of kinds of columns or compression that it does not read.
    except (OSError, ValueError, NotImplementedError) as error:
        raise InstanceError(_reason(error), where=Where(file=source)) from None


def as_requested(value: object) -> Any:
    """Return a cell as the value that a request would hold."""
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    return [as_requested(it) for it in value] if isinstance(value, list) else value


def _reason(error: Exception) -> str:
    return f"cannot be read as Parquet ({str(error).splitlines()[0]})"


def pyarrow_parquet() -> Any:
    """Return the package's module. Raises DependencyError."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        what = "Parquet files need the package pyarrow"
        raise DependencyError(what, hint="pip install 'pellucid[parquet]'") from error
    return parquet
