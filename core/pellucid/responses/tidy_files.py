"""The tidy table as a file: Parquet, CSV or JSON Lines, written in bounded memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, BinaryIO, Literal, TypeAlias

import orjson

from pellucid.explain import Results
from pellucid.inputs import pyarrow_parquet
from pellucid.responses.tidy import tidy, tidy_names

TableForm: TypeAlias = Literal["parquet", "csv", "jsonl"]

ROWS = 32_768
"""A row group of a Parquet file has about so many rows, which is what is held in memory."""


def check_form(form: TableForm) -> None:
    """Raise DependencyError where the package is missing that writes files of this form."""
    if form == "parquet":
        pyarrow_parquet()


def write_tidy(
    file: BinaryIO,
    form: TableForm,
    kept: Sequence[str],
    groups: Iterable[Sequence[Any]],
    *,
    truth: bool = False,
) -> None:
    """Write the table of `tidy_groups` into a file, the same bytes for the same rows.

    Text of CSV and JSON is UTF-8, and numbers are written as exactly as they are; what is missing
    is empty, or null; with `truth`, they have the true label. Raises DependencyError.
    """
    names = tidy_names(kept, truth=truth)
    if form == "parquet":
        _write_parquet(file, names, groups)
    elif form == "jsonl":
        for row in _rows(groups):
            line = dict(zip(names, row, strict=True))
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    else:
        text = io.TextIOWrapper(file, "utf-8", errors="backslashreplace", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(_rows(groups))
        text.detach()  # flushed, and the file is still its owner's


def parquet(results: Results) -> bytes:
    """Return the table of `tidy` as a Parquet file. Raises DependencyError.

    How it was made stands in the key ``pellucid`` of its metadata, as JSON.
    """
    out = io.BytesIO()
    kept, groups = tidy(results)
    _write_parquet(out, tidy_names(kept), groups, results.provenance)
    return out.getvalue()


def _rows(groups: Iterable[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    for same, *columns in groups:
        for row in zip(*columns, strict=True):
            yield (*same, *row)


def _write_parquet(
    file: BinaryIO,
    names: dict[str, type],
    groups: Iterable[Sequence[Any]],
    provenance: Mapping[str, Any] = {},
) -> None:
    package = pyarrow_parquet()
    import pyarrow

    kinds = {int: pyarrow.int64(), str: pyarrow.string(), float: pyarrow.float64()}
    schema = pyarrow.schema(
        [(name, kinds[kind]) for name, kind in names.items()],
        metadata={"pellucid": orjson.dumps(provenance)} if provenance else None,
    )
    with package.ParquetWriter(file, schema) as writer:
        columns: list[list[Any]] = [[] for _ in names]

        def write() -> None:
            cells = dict(zip(names, columns, strict=True))
            writer.write_table(pyarrow.table(cells, schema=schema), row_group_size=ROWS)
            for column in columns:
                column.clear()

        for same, *own in groups:
            for column, cell in zip(columns, same, strict=False):
                column.extend(repeat(cell, len(own[0])))
            for column, cells in zip(columns[len(same) :], own, strict=True):
                column.extend(cells)
            if len(columns[0]) >= ROWS:
                write()
        write()
