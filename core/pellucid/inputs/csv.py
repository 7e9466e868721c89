"""CSV made into JSON values: one value for each row, named by column or in order.

Nothing here knows tensors: a cell becomes what the same value would be in a request, and what is
wrong with that is said by the door that all values go through.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from typing import Any, TypeAlias

from pellucid.errors import InstanceError
from pellucid.inputs.by_column import PlainLine, is_blank, is_plain, plain_rows
from pellucid.inputs.columns import (
    CARRIED,
    ID,
    Beside,
    Columns,
    carried_places,
    columns_of,
    count_text,
    record_columns,
)
from pellucid.inputs.input_info import InputInfo, Missing, is_missing, missing_hint
from pellucid.inputs.records.example import feature_inputs, named_inputs
from pellucid.inputs.series import TIME, are_steps, read_times, step_columns
from pellucid.metadata import RecordKind
from pellucid.notices import Notice, Where

_NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE
)
_DECIMAL_COMMA = re.compile(r"[+-]?\d[\d.']*,\d[\d,.]*([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
SEPARATED = {".csv": None, ".tsv": "\t"}
"""The suffixes of tables, and what separates their columns; None is to be found out."""

_SEPARATORS = {",": "','", ";": "';'", "\t": "tabs"}
# What pandas reads as missing.
_MISSING = frozenset(
    ("", "#N/A", "#NA", "-NaN", "-nan", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan",
     "null", "NAN")
)  # fmt: skip

Row: TypeAlias = tuple[int | None, Sequence[Any]]
"""(The line a row begins on, counted from 1, if it has one; its cells, or rows that are steps.)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table being read: what each column is, and the rows still to come.

    `carried` are the places of columns that go along with the explanation, by their names. The
    cells are text, or values, where the table is `typed`.
    """

    columns: Columns
    rows: Iterator[Row]
    source: str | None
    separator: str = ","
    typed: bool = False
    titles: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    carried: Mapping[str, int] = field(default_factory=dict)

    def where(self, line: int | None, index: int | None = None) -> Where:
        """Return the place of a line, and of the instance that it is."""
        return Where(file=self.source or "", line=line, instance=index)

    def value(self, row: Row, index: int) -> object:
        """Return a row as the value that a request would hold: an object, or a list.

        Of a series, it is the list of its steps. Raises `InstanceError` for a wrong number of
        columns and for cells that cannot be read.
        """
        columns = self.columns
        if columns.steps:
            steps = [self._cells(it, n, index) for n, it in enumerate(row[1])]
            return steps if columns.steps > 1 else [step[0] for step in steps]
        return self._named(self._cells(row, index, index))

    def values(
        self, rows: Sequence[Row], indices: Sequence[int]
    ) -> Iterator[object | InstanceError]:
        """Yield the value of each row, or what is wrong with it; plain ones are read together."""
        columns = self.columns
        even = not columns.steps and all(len(cells) == columns.width for _, cells in rows)
        found: Sequence[Sequence[Any] | None] = [None] * len(rows)
        if even:
            cells = [cells for _, cells in rows]
            found = plain_rows(cells, columns.places, columns.inputs, typed=self.typed)
        for values, row, index in zip(found, rows, indices, strict=True):
            if values is not None:
                yield self._named(values)
                continue
            try:
                yield self.value(row, index)
            except InstanceError as error:
                yield error

    def _named(self, values: Sequence[Any]) -> object:
        columns = self.columns
        if columns.vector and columns.inputs[0].record_of is RecordKind.EXAMPLE:
            return {columns.inputs[0].name: [*values]}
        return [*values] if columns.vector else dict(zip(columns.titles, values, strict=True))

    def _cells(self, row: Row, number: int, index: int) -> list[object]:
        """Return the cells of a row that are of inputs, the `number`-th of all that are read."""
        where, cells, columns = self.where(row[0], index), row[1], self.columns
        if len(cells) != columns.width:
            raise InstanceError(
                f"row {number + 1} has {count_text(len(cells))}, the first line has "
                f"{columns.width}",
                where=where,
                hint=self._other_separator(cells),
            )
        if name := self.id_of(row):
            where = replace(where, name=name)
        if columns.steps and row[0] is None:
            where = where.below(f"[{number}]")
        read = _value if self.typed else _cell
        return [
            read(cells[place], info, title, where)
            for place, info, title in zip(
                columns.places, columns.inputs, columns.titles, strict=True
            )
        ]

    def extras(self, row: Row, where: Where) -> dict[str, object]:
        """Return the cells of a row that are kept beside the inputs, by what they are kept as.

        `where` is the instance that the row is. Raises InstanceError for what is no time.
        """
        columns, steps = self.columns, row[1] if self.columns.steps else [row]
        first = steps[0][1]
        kept: dict[str, object] = {
            name: str(first[place]).strip() for place, name in columns.aside.items()
        }
        if self.carried:
            kept[CARRIED] = {name: _carried(first[place]) for name, place in self.carried.items()}
        if columns.time is not None and columns.steps:
            title = self.titles[columns.time]
            places = [
                where.below(f"[{i}]") if line is None else self.where(line)
                for i, (line, _) in enumerate(steps)
            ]
            kept[TIME] = read_times([it[columns.time] for _, it in steps], title, places)
        return kept

    def id_of(self, row: Row) -> str:
        """Return what the instance of a row is called, as far as that is known."""
        first = row[1][0][1] if self.columns.steps and isinstance(row[1][0], tuple) else row[1]
        places = [place for place, name in self.columns.aside.items() if name == ID]
        return str(first[places[0]]).strip() if places and len(first) == self.columns.width else ""

    def _other_separator(self, cells: Sequence[str]) -> str:
        """Say which separator a row has, if it is another one than the first line's."""
        for other, said in _SEPARATORS.items():
            parts = self.separator.join(cells).split(other)
            if other != self.separator and len(parts) == self.columns.width > 1:
                first = _SEPARATORS.get(self.separator, f"'{self.separator}'")
                return f"this row is separated by {said}, the first line by {first}"
        return ""


def open_table(
    lines: Iterable[str],
    inputs: Sequence[InputInfo],
    source: str | None,
    beside: Beside = Beside(),
    *,
    separator: str | None = None,
) -> Table:
    """Return the table in these lines, its first row read as the header: see `columns_of`.

    Columns are separated by commas, or by semicolons or tabs, if these fit; Excel's ``sep=;`` is
    obeyed. Raises `InstanceError` when the columns do not fit the model.
    """
    found = _lines(lines)
    number, line = _first(found, source)
    written = _SEP.fullmatch(line.strip())
    if written:
        separator = written[1]
        number, line = _first(found, source)
    taken = separator or _separator(line, inputs, beside)
    rows = _rows(chain([(number, line)], found), source, taken)
    begin = next(rows)
    where = Where(file=source or "", line=begin[0])
    titles = [cell.strip() for cell in begin[1]]
    columns = _columns(titles, inputs, beside, where)
    notices = columns.notices
    if taken != (separator or ","):
        said = Notice(f"is separated by {_SEPARATORS[taken]}", Where(file=source or ""))
        notices = (said, *notices)
    if columns.headless:
        rows = chain([begin], rows)
    return Table(
        columns=columns, rows=gathered(rows, columns, source), source=source, separator=taken,
        titles=tuple(titles), notices=notices, carried=carried_places(titles, beside, where),
    )  # fmt: skip


def gathered(rows: Iterator[Row], columns: Columns, source: str | None) -> Iterator[Row]:
    """Return rows as they are, or, where they are time steps, all of one instance as one row.

    Raises InstanceError where those of one instance are not together.
    """
    if not columns.steps:
        return rows
    ids = [place for place, name in columns.aside.items() if name == ID]

    def key(row: Row) -> object:
        return row[1][ids[0]] if ids and len(row[1]) > ids[0] else None

    def together() -> Iterator[Row]:
        seen = set[object]()
        for name, group in groupby(rows, key):
            steps = [*group]
            if name in seen:
                raise InstanceError(
                    f"the rows of '{name}' are not together",
                    where=Where(file=source or "the table", line=steps[0][0]),
                    hint="sort the table by its id, and then by its time",
                )
            seen.add(name)
            yield steps[0][0], steps

    return together()


_SEP = re.compile(r"sep=(.)", re.IGNORECASE)


def _columns(
    titles: Sequence[str], inputs: Sequence[InputInfo], beside: Beside, where: Where
) -> Columns:
    lone = inputs[0] if len(inputs) == 1 else None
    if lone is not None and lone.record is not None and lone.record.kind is RecordKind.CSV:
        features = feature_inputs(lone)
        return record_columns(titles, features, beside, where, _like_number)
    if are_steps(titles, inputs, beside, where):
        return step_columns(titles, inputs[0], beside, where, _like_number)
    return columns_of(titles, named_inputs(inputs, titles), beside, where, _like_number)


def _first(lines: Iterator[tuple[int, str]], source: str | None) -> tuple[int, str]:
    found = next(lines, None)
    if found is None:
        raise InstanceError("there are no rows", where=Where(file=source or "the table"))
    return found


def _lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines from the first that is not blank on, with their numbers.

    Lines may end in carriage returns alone, and the file begin with a byte order mark.
    """
    parts = (
        part
        for line in lines
        for part in (io.StringIO(line, newline="") if "\r" in line[:-2] else (line,))
    )
    begun = False
    for number, line in enumerate(parts, 1):
        line = line.removeprefix("\ufeff") if number == 1 else line
        begun = begun or bool(line.strip(" \t\r\n,;"))
        if begun:
            yield number, line


def _separator(line: str, inputs: Sequence[InputInfo], beside: Beside) -> str:
    """Return what separates the columns, by the first line: what fits the model, commas first."""
    rows = {it: _split(line, it) for it in _SEPARATORS}
    several = [it for it, cells in rows.items() if len(cells) > 1]
    for it in several:
        try:
            _columns(rows[it], inputs, beside, Where())
        except InstanceError:
            continue
        return it
    if rows[","] == [info.name for info in inputs] or not several:
        return ","
    return "," if "," in several else max(several, key=lambda it: len(rows[it]))


def _split(line: str, separator: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return [cell.strip() for cell in line.split(separator)]


def _rows(lines: Iterator[tuple[int, str]], source: str | None, separator: str) -> Iterator[Row]:
    """Yield the rows that are not blank, with the numbers of the lines that they begin on."""
    for number, line in lines:
        if is_plain(line):
            if not is_blank(line, separator):
                yield number, PlainLine(line.rstrip("\r\n"), separator)
            continue
        # A cell in quotes may go on in the next line.
        rest = chain([line], (text for _, text in lines))
        reader = csv.reader(rest, strict=True, delimiter=separator)
        begins = number
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield begins, row
                begins = reader.line_num + number
        except csv.Error as error:
            where = Where(file=source or "", line=reader.line_num + number - 1)
            raise InstanceError(f"not CSV: {error}", where=where) from None


def _like_number(title: str) -> bool:
    """Whether a title is a number, if need be with a decimal comma."""
    return _NUMBER.fullmatch(title.replace(",", ".", 1)) is not None


def _carried(cell: object) -> object:
    """Return a cell as JSON has it."""
    if is_missing(cell):
        return None
    return cell if isinstance(cell, str | int | float | list | dict) else str(cell)


def _value(cell: object, info: InputInfo, title: str, where: Where) -> object:
    """Return a value of a table as that of a request: what is missing is refused or None."""
    if not is_missing(cell) or not info.finite:
        return cell
    if info.missing is not Missing.REFUSE or info.optional:
        return None
    raise InstanceError(f"column '{title}' is empty", where=where, hint=missing_hint(info))


def _cell(cell: str, info: InputInfo, title: str, where: Where) -> object:
    """Return a cell as a JSON value; several values in one cell are written as a JSON list."""
    if info.is_string and not cell.startswith('["'):
        return cell
    text = cell.strip()
    if text in _MISSING and info.optional:
        return None
    if text in _MISSING and (info.finite or not text):
        if info.missing is not Missing.REFUSE:
            return None
        said = "is empty" if not text else f'is missing ("{text}")'
        raise InstanceError(f"column '{title}' {said}", where=where, hint=missing_hint(info))
    if text.startswith("["):
        try:
            value: object = json.loads(text)
        except ValueError:
            raise InstanceError(f"column '{title}' is not a JSON list", where=where) from None
        return value
    if info.dtype == "bool":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), cell)
    if _DECIMAL_COMMA.fullmatch(text):
        raise InstanceError(
            f"column '{title}' has a comma in a number, \"{text[:40]}\"",
            where=where,
            hint="write a decimal point, and nothing between thousands: pandas makes that of "
            "read_csv(…, decimal=',', thousands='.')",
        )
    if _WHOLE.fullmatch(text) and len(text) < 400:
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else cell
