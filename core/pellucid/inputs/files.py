"""What is in a file: read whole, or line by line where it may be larger than the memory.

A file whose name ends in ``.gz`` is decompressed as it is read, and its suffix is the one before.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from os.path import splitext
from pathlib import PurePath
from typing import IO, BinaryIO, cast

from pellucid.errors import InstanceError
from pellucid.files import open_file
from pellucid.inputs.input_info import InputInfo
from pellucid.inputs.strict_json import decode_text
from pellucid.inputs.tensors import is_binary
from pellucid.notices import Where
from pellucid.remote import address_of, copied, name_in, place_of

CLASSIFIED = "examples"
"""The key of the instances in a request to classify, a list of features by name."""
MOST_UNPACKED = 2**30
"""The bytes of a compressed file that are held at once: a line of it, or all if it is read whole.

A few megabytes may hold any number of them.
"""
TEXT = ".txt"
"""The suffix of a file that is one text, for a model that takes texts."""
EMPTY = "is empty, expected a request, JSON Lines or a picture"


def suffix_of(path: str | PathLike[str]) -> str:
    """Return the suffix that says what a file holds, in lower case: that before ``.gz``, if any."""
    rest, last = splitext(name_in(path).lower())
    return (last == ".gz" and splitext(rest)[1]) or last


@contextmanager
def opened(path: str | PathLike[str], source: str | None = None) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, decompressed. Raises `InstanceError` where that fails.

    Of an address, a copy is read, which is there as long as it is open.
    """
    source = place_of(path) if source is None else source
    try:
        with _whole(path) as file:
            if is_packed(path):
                with gzip.open(file, "rb") as unpacked:
                    yield cast(IO[bytes], unpacked)
            else:
                yield file
    except EOFError:
        what = "is cut off: the gzip file has no end"
        raise InstanceError(what, where=Where(file=source)) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        what = f"is not a gzip file, or damaged ({error})"
        raise InstanceError(what, where=Where(file=source)) from None
    except OSError as error:
        raise _unread(source, error) from None


@contextmanager
def _whole(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file as it lies, here or elsewhere."""
    address = address_of(path, InstanceError)
    if address is None:
        with open_file(path) as file:
            yield file
        return
    with copied(address, InstanceError) as copy, open_file(copy) as file:
        yield file


def is_packed(path: str | PathLike[str]) -> bool:
    """Whether a file is compressed by its name, ``x.csv.gz``."""
    return PurePath(name_in(path)).suffix.lower() == ".gz"


def lines_of(path: str | PathLike[str], source: str) -> Iterator[str]:
    """Yield the lines of a file, with their ends. Raises `InstanceError`."""
    filled = False
    with opened(path, source) as file:
        packed = is_packed(path)
        lines = iter(lambda: file.readline(MOST_UNPACKED + 1), b"") if packed else file
        for number, line in enumerate(lines, 1):
            if packed:
                _check_size(line, Where(file=source, line=number))
            filled = filled or bool(line.strip(b"\xef\xbb\xbf \t\r\n"))
            yield decode_text(line, Where(file=source, line=number))
    if not filled:
        raise InstanceError(EMPTY, where=Where(file=source))


def read_bytes(path: str | PathLike[str]) -> bytes:
    """Return the content of a file. Raises `InstanceError`, also for a file without any."""
    source = place_of(path)
    with opened(path) as file:
        packed = is_packed(path)
        data = file.read(MOST_UNPACKED + 1) if packed else file.read()
    if packed:
        _check_size(data, Where(file=source))
    if not data:
        raise InstanceError("the file is empty", where=Where(file=source))
    return data


def _check_size(data: bytes, where: Where) -> None:
    if len(data) > MOST_UNPACKED:
        what = f"has more than {MOST_UNPACKED / 2**20:,.0f} MiB once it is decompressed"
        raise InstanceError(what, where=where, hint="give it as JSON Lines or CSV, of short lines")


def _unread(source: str, error: OSError) -> InstanceError:
    where = Where(file=source)
    match error:
        case FileNotFoundError():
            return InstanceError("no such file", where=where)
        case IsADirectoryError():
            return InstanceError("is a directory", where=where, hint="name the files in it")
    return InstanceError(f"cannot be read ({error.strerror})", where=where)


def looks_binary(data: bytes) -> bool:
    """Return whether this is a picture, or anything else that is no text."""
    head = data[:4096]
    return b"\0" in head or head[:2] in (b"\xff\xd8", b"\x89P", b"BM") or head[:4] == b"GIF8"


def json_form(text: str, inputs: Sequence[InputInfo], beside: Collection[str] = ()) -> str | None:
    """Return "request", "lines", or None where the text does not begin as JSON does."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return "request"  # whose reader will say what is wrong, and where
    if text.lstrip()[end:].strip():
        return "lines"
    names = {*(info.name for info in inputs), *beside}
    names |= {it.name for info in inputs if info.record for it in info.record.features}
    if isinstance(value, dict) and isinstance(value.get(CLASSIFIED), list):
        return "request"
    bare = isinstance(value, dict) and "instances" not in value
    return "lines" if bare and (set(value) <= names or is_binary(value)) else "request"


def takes_texts(inputs: Sequence[InputInfo]) -> bool:
    """Whether a text is an instance of the model: its one input is a single string."""
    alone = len(inputs) == 1 and inputs[0].is_string and inputs[0].record is None
    return alone and inputs[0].instance_shape in ((), (1,), None)


def text_in(data: str, suffix: str, inputs: Sequence[InputInfo], where: Where) -> str | None:
    """Return the text that a ``.txt`` file is, None for other files, and for JSON.

    Raises InstanceError where a text is no instance of the model.
    """
    if suffix != TEXT or _begins_as_json(data):
        return None
    if takes_texts(inputs):
        return data.removeprefix("\ufeff").rstrip("\r\n")
    listed = ", ".join(f"'{it.name}' ({it.wants})" for it in inputs)
    example = ", ".join(f'"{it.name}": …' for it in inputs)
    raise InstanceError(
        f"is a text, which is no instance of a model of {listed}",
        where=where,
        hint="give JSON: {" + example + "}",
    )


def _begins_as_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return False
    return True
