"""Where true labels are written: in names of folders, in a column, in a file."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pellucid.batch.items import Item
from pellucid.errors import SpecError
from pellucid.files import read_bytes, shown
from pellucid.inputs import Instance
from pellucid.notices import Where


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Where the true label of each input is: in the name of its folder, a column, or a file.

    `column` is one of the table of inputs, or a key of an object; `file` is a CSV file of names and
    labels. Without either, it is the name of the folder that the input's file is in.
    """

    column: str | None = None
    file: Path | None = None

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The label of each name in the file. Raises SpecError for what is no such file."""
        return {} if self.file is None else _labels(self.file)[0]

    @cached_property
    def title(self) -> str:
        """What stands above the labels of the file."""
        return "" if self.file is None else _labels(self.file)[1]

    @cached_property
    def document(self) -> Any:
        """What must stay the same from one command to the next, as JSON."""
        if self.column is not None:
            return {"column": self.column}
        if self.file is None:
            return "folder"
        try:
            return {"file": hashlib.sha256(read_bytes(self.file)).hexdigest()}
        except OSError as error:
            raise _unreadable(self.file, error) from error

    def of(self, item: Item, instance: Instance) -> str:
        """Return what is written of an input, ``""`` where there is nothing.

        A file names it by its id, its path as it was given or below the folder, or its file name.
        """
        if self.column is not None:
            return instance.truth or ""
        if self.file is None:
            return shown(os.path.basename(os.path.dirname(item.path)))
        return self.labels.get(self.name_of(item, instance), "")

    def name_of(self, item: Item, instance: Instance) -> str:
        """Return the name by which the file knows an input, ``""`` where it does not."""
        file = shown(os.path.basename(item.path))
        names = (instance.id or "", item.source, item.place, file)
        return next((it for it in names if it in self.labels), "")


def _unreadable(file: Path, error: OSError) -> SpecError:
    return SpecError(f"cannot be read ({error.strerror or error})", where=Where(file=str(file)))


def _labels(file: Path) -> tuple[dict[str, str], str]:
    """Return the label of each name in a CSV file of two columns, and the title above them."""
    try:
        text = read_bytes(file).decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(file, error) from error
    except UnicodeDecodeError as error:
        raise SpecError("is not UTF-8", where=Where(file=str(file))) from error
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    found, title = dict[str, str](), ""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    for number, row in enumerate(rows, 1):
        where = Where(file=str(file), line=number)
        if not row:
            continue
        if len(row) != 2:
            count = f"{len(row)} column{'s' * (len(row) > 1)}"
            what = f"has {count}, and the truth is two: a name and a label"
            raise SpecError(what, where=where)
        if number == 1:
            title = row[1].strip()
        elif found.setdefault(row[0].strip(), row[1].strip()) != row[1].strip():
            what = f"'{row[0]}' has two labels, '{found[row[0].strip()]}' and '{row[1]}'"
            raise SpecError(what, where=where)
    if not found:
        what = "names no input; its first line has titles, as in name,label"
        raise SpecError(what, where=Where(file=str(file)))
    return found, title
