"""One input after the other: a picture, a line, a row, or an instance of a request.

A file is opened as a stream of items that cost nothing to skip; what an item holds is decoded
where it is explained, in any process, and fails there alone.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal, TypeAlias

from pellucid.errors import FOREIGN, InstanceError, PellucidError
from pellucid.files import read_bytes, shown
from pellucid.inputs import (
    ARRAY_SUFFIXES,
    IMAGE_SUFFIXES,
    PARQUET,
    SEPARATED,
    Beside,
    InputInfo,
    Instance,
    Said,
    Table,
    array_values,
    decode_text,
    instances_of_rows,
    is_tfrecord,
    json_form,
    looks_binary,
    made_of,
    open_parquet,
    open_table,
    opened,
    parse_json,
    read_image,
    read_records,
    read_request_values,
    record_input,
    set_aside,
    suffix_of,
    text_in,
    tried,
)
from pellucid.inputs.found import STDIN, Input, place_below
from pellucid.notices import Notice, Where
from pellucid.remote import address_of, read, together

Kind: TypeAlias = Literal["picture", "line", "row", "value", "failed"]

HEAD = 4096
_FAILS: tuple[type[BaseException], ...] = (InstanceError, OSError, *FOREIGN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An input that is not decoded yet.

    `number` is its place among all inputs, which names the noise that it draws; `source` the file
    as people read it, `path` the file itself; `place` where its pictures go. `content` is a line, a
    row, a value, or why it failed; `index` its place in the file and `line` the line that it begins
    on; `table` what its columns are, `settings` what its request says beside the instances; `id`
    what it is called, as far as that is known; one that is `drawn` may be in the sample of the run;
    `size` is that of a picture elsewhere, as far as it is known.
    """

    number: int
    source: str
    path: str
    place: str
    kind: Kind
    index: int = 0
    line: int | None = 1
    content: Any = None
    table: Table | None = None
    settings: Mapping[str, object] | None = None
    id: str = ""
    drawn: bool = False
    size: int = -1

    @property
    def where(self) -> Where:
        """Where it is: a picture's file, or a place in a file."""
        if self.kind in ("picture", "failed"):
            return Where(name=self.source)
        line = self.line if self.kind in ("line", "row") else None
        return Where(file=self.source, line=line, instance=self.index, name=self.id)

    @property
    def name(self) -> str:
        """How people call it."""
        return str(self.where)


def items_of(
    given: Input,
    root: str,
    inputs: Sequence[InputInfo],
    number: int = 0,
    beside: Beside = Beside(),
) -> Iterator[Item]:
    """Yield the items of one file, numbered on from `number`; a file that fails is one, too."""
    first = _first(given, root, number)
    source, count = first.source, 0
    try:
        if given.problem is not None:
            raise InstanceError(given.problem, where=Where(file=source))
        for count, item in enumerate(_opened(first, inputs, beside), 1):
            yield (
                item
                if item.number == number + count - 1
                else replace(item, number=number + count - 1)
            )
        if not count:
            what = "is empty, there is nothing to explain"
            raise InstanceError(what, where=Where(file=source))
    except InstanceError as error:
        failed = error.notice
        yield replace(first, number=number + count, kind="failed", content=failed, index=count)
    except OSError as error:
        failed = Notice(f"cannot be read ({error.strerror})", Where(file=source))
        yield replace(first, number=number + count, kind="failed", content=failed, index=count)
    except FOREIGN as error:
        failed = Notice(f"cannot be read ({type(error).__name__}: {error})", Where(file=source))
        yield replace(first, number=number + count, kind="failed", content=failed, index=count)


def _first(given: Input, root: str, number: int) -> Item:
    """Return a file as a single input, from which those in it are made."""
    remote = address_of(given.path) is not None
    path = given.path if remote else os.path.abspath(given.path)
    source = given.source or shown(given.path)
    place, size = place_below(path, root), given.size if remote else -1
    return Item(number=number, source=source, path=path, place=place, kind="picture", size=size)


def count_of(given: Input, root: str, inputs: Sequence[InputInfo], beside: Beside) -> int:
    """Return how many items a file has; a picture is one, and is not opened for that."""
    if given.problem is not None or suffix_of(given.path) in IMAGE_SUFFIXES:
        return 1
    count = 0
    try:
        for _ in _opened(_first(given, root, 0), inputs, beside, counted=True):
            count += 1
    except _FAILS:
        return count + 1  # that it fails is an item, too
    return max(1, count)


def decode(
    items: Sequence[Item], inputs: Sequence[InputInfo], beside: Beside = Beside()
) -> Iterator[Instance | InstanceError]:
    """Yield the instance that each item is, its index that of the run, or what is wrong with it.

    `beside` is that of a file. What is wrong has its place in the item's file.
    """
    for _, group in groupby(items, lambda it: (it.kind, id(it.table))):
        some = [*group]
        for item, found in zip(some, _decoded(some, inputs, beside), strict=True):
            if isinstance(found, InstanceError):
                yield found
            else:
                same = found.index == item.number
                yield found if same else replace(found, index=item.number)


def _decoded(
    items: Sequence[Item], inputs: Sequence[InputInfo], beside: Beside
) -> Iterator[Instance | InstanceError]:
    """Yield the instance that each item is, all being of one kind and of one table."""
    table = items[0].table
    if items[0].kind == "picture":
        for item, data in zip(items, _contents(items), strict=True):
            yield tried(_picture, item, data, inputs)
    elif table is not None:
        rows, wheres = [(it.line, it.content) for it in items], [it.where for it in items]
        yield from instances_of_rows(table, rows, inputs, wheres)
    else:
        yield from made_of([tried(_said, item, inputs, beside) for item in items], inputs)


def _contents(items: Sequence[Item]) -> Iterator[bytes | PellucidError | None]:
    """Yield what is in the files of pictures elsewhere, asked for together, or what is wrong."""
    addresses = [address_of(it.path) for it in items]
    if not any(addresses):
        yield from [None] * len(items)
        return

    def content(pair: tuple[Item, str | None]) -> bytes | PellucidError | None:
        item, address = pair
        try:
            return None if address is None else read(address, InstanceError, item.size)
        except PellucidError as error:
            return error

    yield from together(content, [*zip(items, addresses, strict=True)])


def _picture(
    item: Item, data: bytes | PellucidError | None, inputs: Sequence[InputInfo]
) -> Instance:
    if isinstance(data, PellucidError):
        raise InstanceError(data.what, where=item.where, hint=data.hint)
    try:
        data = read_bytes(item.path) if data is None else data
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise InstanceError(what, where=item.where) from None
    return read_image(data, inputs, source=item.source)


def _said(item: Item, inputs: Sequence[InputInfo], beside: Beside) -> Said:
    """Return the value of an item, what stands beside its inputs being set aside."""
    value = item.content
    if item.kind == "failed":
        failed: Notice = item.content
        raise InstanceError(failed.what, where=failed.where, hint=failed.hint)
    if item.kind == "line":
        value = parse_json(decode_text(item.content, item.where), item.where)
    elif suffix_of(item.path) in ARRAY_SUFFIXES:
        return value, item.where, {}
    value, aside = set_aside(value, inputs, beside, item.where)
    return value, item.where, aside


def _opened(
    first: Item, inputs: Sequence[InputInfo], beside: Beside, *, counted: bool = False
) -> Iterator[Item]:
    """Yield what is in the file that `first` names. Raises InstanceError and OSError.

    Where they are only `counted`, rows of a table are all the same.
    """
    suffix = suffix_of(first.path)
    if suffix in ARRAY_SUFFIXES:
        for index, value in enumerate(array_values(first.path, inputs)):
            yield _inner(first, "value", index, value)
    elif suffix in IMAGE_SUFFIXES:
        yield first
    elif suffix in (".jsonl", ".ndjson"):
        yield from _lines(first)
    elif is_tfrecord(first.path):
        yield from _records(first, inputs)
    elif suffix == PARQUET:
        table = open_parquet(first.path, inputs, first.source, beside)
        yield from _of_table(first, table, counted=counted)
    elif suffix in SEPARATED:
        yield from _rows(first, inputs, beside, SEPARATED[suffix], counted=counted)
    else:
        with opened(first.path, first.source) as file:
            if suffix != ".json" and looks_binary(file.read(HEAD)):
                yield first
                return
        yield from _json(first, inputs, suffix, beside)


def _lines(first: Item) -> Iterator[Item]:
    with opened(first.path, first.source) as file:
        index = 0
        for number, line in enumerate(file, 1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line := line.strip():
                yield _inner(first, "line", index, line, line_number=number)
                index += 1


def _rows(
    first: Item,
    inputs: Sequence[InputInfo],
    beside: Beside,
    separator: str | None = None,
    *,
    counted: bool = False,
) -> Iterator[Item]:
    # What is no UTF-8 spoils its own row only: the cell says so when it is read.
    with opened(first.path, first.source) as data:
        file = io.TextIOWrapper(data, "utf-8-sig", errors="surrogateescape", newline="")
        table = open_table(file, inputs, first.source, beside, separator=separator)
        yield from _of_table(first, table, counted=counted)


def _of_table(first: Item, table: Table, *, counted: bool = False) -> Iterator[Item]:
    """Yield the rows of a table."""
    if counted:
        yield from (first for _ in table.rows)
        return
    head = replace(table, rows=iter(()))
    for index, (number, cells) in enumerate(table.rows):
        yield Item(
            number=first.number + index,
            source=first.source,
            path=first.path,
            place=f"{first.place}.{index}",
            kind="row",
            index=index,
            line=number,
            content=cells,
            table=head,
            id=head.id_of((number, cells)),
        )


def _records(first: Item, inputs: Sequence[InputInfo]) -> Iterator[Item]:
    """Yield the records of a TFRecord file; one that has changed fails alone."""
    record_input(inputs, Where(file=first.source))
    for index, data in enumerate(read_records(first.path, first.source)):
        if isinstance(data, InstanceError):
            yield replace(_inner(first, "failed", index, data.notice), content=data.notice)
        else:
            value = {"b64": base64.b64encode(data).decode()}
            yield _inner(first, "value", index, value)


def _json(first: Item, inputs: Sequence[InputInfo], suffix: str, beside: Beside) -> Iterator[Item]:
    """Yield the instances of a request, which is read as a whole, or of lines of JSON."""
    with opened(first.path, first.source) as file:
        text = decode_text(file.read(), Where(file=first.source))
    if not text.strip():
        return
    whole = text_in(text, suffix, inputs, Where(file=first.source))
    if whole is not None:
        yield _inner(first, "value", 0, whole)
        return
    form = json_form(text, inputs, beside.names)
    if form is None and first.source == STDIN:
        yield from _rows(first, inputs, beside)
        return
    if form is None and suffix != ".json":
        what = "cannot tell what this is: neither JSON, nor a picture, nor named .csv"
        raise InstanceError(what, where=Where(file=first.source))
    if form == "request":
        values, rest, _ = read_request_values(text, first.source)
        for index, value in enumerate(values):
            yield replace(_inner(first, "value", index, value), settings=rest or None)
        return
    yield from _lines(first)


def _inner(first: Item, kind: Kind, index: int, content: object, *, line_number: int = 1) -> Item:
    place = f"{first.place}.{index}"
    return replace(first, kind=kind, index=index, line=line_number, content=content, place=place)
