"""CSV made into JSON values: one value for each row, named by column or in order.

Nothing here knows tensors: a cell becomes what the same value would be in a request, and what is
wrong with that is said by the door that all values go through.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from pellucid.errors import InstanceError
from pellucid.inputs.tensors import InputInfo, check_names
from pellucid.notices import Where

_NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE
)
_WHOLE = re.compile(r"[+-]?\d+")

Row = tuple[int, list[str]]
"""(The line a row begins on, counted from 1; its cells.)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table being read: which input each column is, and the rows still to come.

    `columns` and `titles` are as long as a row; `vector` says that the columns are, in order, the
    elements of one input. `aside` are the columns, by their place in a row, that are no input.
    """

    columns: tuple[InputInfo, ...]
    titles: tuple[str, ...]
    vector: bool
    rows: Iterator[Row]
    source: str | None
    aside: Mapping[int, str] = field(default_factory=dict)

    def where(self, line: int, index: int | None = None) -> Where:
        """Return the place of a line, and of the instance that it is."""
        return Where(file=self.source or "", line=line, instance=index)

    def value(self, row: Row, index: int) -> object:
        """Return a row as the value that a request would hold: an object, or a list.

        Raises `InstanceError` for a wrong number of columns and for cells that cannot be read.
        """
        where, cells = self.where(row[0], index), row[1]
        width = len(self.columns) + len(self.aside)
        if len(cells) != width:
            raise InstanceError(
                f"row {index + 1} has {_columns(len(cells))}, the first line has {width}",
                where=where,
            )
        cells = [cell for i, cell in enumerate(cells) if i not in self.aside]
        values = [
            _cell(cell, info, title, where)
            for cell, info, title in zip(cells, self.columns, self.titles, strict=True)
        ]
        return values if self.vector else dict(zip(self.titles, values, strict=True))

    def extras(self, row: Row) -> dict[str, str]:
        """Return the cells of a row that are no input, by their titles."""
        return {title: row[1][i].strip() for i, title in self.aside.items()}


def open_table(
    lines: Iterable[str],
    inputs: Sequence[InputInfo],
    source: str | None,
    extras: Collection[str] = (),
) -> Table:
    """Return the table in these lines, its first row read as the header.

    Each column is an input, or the columns are the elements of the model's single vector input; in
    that case any titles will do, and a first row that is all numbers is no header. Columns titled
    as one of `beside` are set aside, unless they are inputs. Raises
    `InstanceError` when the columns do not fit the model.
    """
    rows = _rows(lines, source)
    first = next(rows, None)
    if first is None:
        raise InstanceError("there are no rows", where=Where(file=source or "the table"))
    where = Where(file=source or "", line=first[0])
    titles = [cell.strip() for cell in first[1]]
    names = [info.name for info in inputs]
    aside = {i: t for i, t in enumerate(titles) if t in extras and t not in names}
    titles = [title for i, title in enumerate(titles) if i not in aside]
    shape = inputs[0].instance_shape if len(inputs) == 1 else ()
    if len(inputs) == 1 and titles != [inputs[0].name] and (shape is None or len(shape) == 1):
        info = inputs[0]
        if shape is not None and shape[0] not in (None, len(titles)):
            raise InstanceError(
                f"input '{info.name}' is {info.wants}, the table has {_columns(len(titles))}",
                where=where,
            )
        if not info.is_string and all(_NUMBER.fullmatch(title) for title in titles):
            rows = chain([first], rows)
            titles = [str(i) for i in range(1, len(titles) + 1)]
        columns, vector = (info,) * len(titles), True
    else:
        by_name = {info.name: info for info in inputs}
        check_names(titles, by_name, where, "column")
        columns, vector = tuple(by_name[title] for title in titles), False
    return Table(
        columns=columns,
        titles=tuple(titles),
        vector=vector,
        rows=rows,
        source=source,
        aside=aside,
    )


def _columns(count: int) -> str:
    return f"{count} column{'' if count == 1 else 's'}"


def _rows(lines: Iterable[str], source: str | None) -> Iterator[Row]:
    """Yield the rows that are not blank."""
    reader = csv.reader(lines, strict=True)
    begins = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield begins, [c.removeprefix("\ufeff") for c in row] if begins == 1 else row
            begins = reader.line_num + 1
    except csv.Error as error:
        where = Where(file=source or "", line=reader.line_num)
        raise InstanceError(f"not CSV: {error}", where=where) from None


def _cell(cell: str, info: InputInfo, title: str, where: Where) -> object:
    """Return a cell as a JSON value; several values in one cell are written as a JSON list."""
    if info.is_string and not cell.startswith('["'):
        return cell
    text = cell.strip()
    if not text:
        raise InstanceError(f"column '{title}' is empty", where=where)
    if text.startswith("["):
        try:
            value: object = json.loads(text)
        except ValueError:
            raise InstanceError(f"column '{title}' is not a JSON list", where=where) from None
        return value
    if info.dtype == "bool":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), cell)
    if _WHOLE.fullmatch(text) and len(text) < 400:
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else cell
