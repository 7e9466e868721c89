"""Lines of a table that have no quotes: counted without their cells, and cut where one is asked."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload


class PlainLine(Sequence[str]):
    """The cells of a line without quotes: its `text`, which is cut when a cell is looked at."""

    def __init__(self, text: str, separator: str) -> None:
        self.text, self.separator = text, separator

    @cached_property
    def cells(self) -> list[str]:
        return self.text.split(self.separator)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self.cells[index]

    def __iter__(self) -> Iterator[str]:
        return iter(self.cells)

    def __len__(self) -> int:
        return self.text.count(self.separator) + 1

    def __reduce__(self) -> tuple[type[PlainLine], tuple[str, str]]:
        return PlainLine, (self.text, self.separator)


def is_plain(line: str) -> bool:
    """Whether a line is its cells with separators between them, whatever these are."""
    odd = '"' in line or "\0" in line or len(line) > csv.field_size_limit()
    return not odd and "\r" not in line.rstrip("\r\n")


def is_blank(line: str, separator: str) -> bool:
    """Whether nothing is in the cells of a plain line."""
    first = line[:1]
    if first != separator and not first.isspace():
        return not first
    return not line.replace(separator, " ").strip()
