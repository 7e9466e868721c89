"""Objects of a store: found, read whole, and put whole.

An object is there as a whole or not at all: what is put appears when all of it has come, and of
what is read less than all is an error.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pellucid.errors import PellucidError
from pellucid.notices import Where
from pellucid.remote.addresses import (
    address_of,
    is_web,
    name_in,
    shown_address,
)
from pellucid.remote.stores import AbsentError, LostError, asked

T = TypeVar("T")
R = TypeVar("R")

AT_A_TIME = 16
"""How many objects are asked for at a time."""

MAGIC = re.compile(r"[*?[]")
# What tells that an object is another one, by what the stores call it.
_VERSIONS = (
    *("ETag", "etag", "generation", "md5Hash", "crc32c", "content_md5", "Content-MD5"),
    *("LastModified", "last_modified", "mtime", "updated", "created", "Last-Modified"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object, its size as far as it is known, and a number that changes when it does.

    It may be a `folder`, which is what stores have where names go on after a slash.
    """

    address: str
    size: int = -1
    version: int = 0
    folder: bool = False


def find(address: str, error: type[PellucidError]) -> Found | None:
    """Return the object or the folder that is called so, None where there is none.

    Raises `error` where that cannot be known, DependencyError.
    """
    try:
        info = asked(address, lambda store: store.info(address), error, missing="")
    except AbsentError:
        return None
    return found_of(address, info)


def found_of(address: str, info: dict[str, Any]) -> Found:
    """Return the object that a store tells this of."""
    size = info.get("size")
    told = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
    digest = hashlib.sha256(f"{told} {size}".encode()).digest()
    return Found(
        address=address,
        size=size if isinstance(size, int) else -1,
        version=int.from_bytes(digest[:7], "big"),
        folder=info.get("type") == "directory",
    )


def read(address: str, error: type[PellucidError], size: int = -1) -> bytes:
    """Return what an object holds, `size` bytes where that is known. Raises `error`."""

    def whole(store: Any) -> bytes:
        data: bytes = store.cat_file(address)
        _check(len(data), size)
        return data

    return asked(address, whole, error, in_one=True)


@contextmanager
def copied(address: str, error: type[PellucidError], size: int = -1) -> Iterator[Path]:
    """Keep a copy of an object in a file while it is read. Raises `error`."""
    suffix = "".join(re.findall(r"\.[A-Za-z0-9]+", os.path.basename(name_in(address)))[-2:])
    handle, name = tempfile.mkstemp(prefix="pellucid-", suffix=suffix)
    os.close(handle)
    try:
        fetch(address, Path(name), error, size)
        yield Path(name)
    finally:
        with suppress(OSError):  # where it is still open, Windows keeps it
            os.unlink(name)


def fetch(address: str, path: Path, error: type[PellucidError], size: int = -1) -> None:
    """Write what an object holds into a file. Raises `error`."""

    def whole(store: Any) -> None:
        store.get_file(address, str(path))
        _check(path.stat().st_size, size)

    asked(address, whole, error)


def _check(came: int, size: int) -> None:
    if size not in (-1, came):
        raise LostError(f"{came:,} of {size:,} bytes came")


def put(address: str, data: bytes | Path, error: type[PellucidError]) -> None:
    """Write an object, which appears as a whole: bytes, or what a file holds. Raises `error`."""
    missing = "there is no such place"

    def whole(store: Any) -> None:
        if isinstance(data, bytes):
            store.pipe_file(address, data)
        else:
            store.put_file(str(data), address)

    refuse_web(address, error)
    asked(address, whole, error, missing=missing)


def refuse_web(address: str, error: type[PellucidError]) -> None:
    """Raise `error` for an address of the web, where nothing can be written."""
    if is_web(address):
        what = "nothing is written to a server of the web"
        hint = "write to gs://, s3:// or az://, or to this machine"
        raise error(what, where=Where(file=shown_address(address)), hint=hint)


def remove(addresses: Sequence[str], error: type[PellucidError]) -> None:
    """Remove objects that are there, or are not any more. Raises `error`."""

    def one(address: str) -> None:
        with suppress(AbsentError):
            asked(address, lambda store: store.rm_file(address), error, missing="")

    for _ in together(one, addresses):
        pass


def together(do: Callable[[T], R], what: Sequence[T]) -> Iterator[R]:
    """Yield what comes of each, in order, several at a time. Raises what the first of them does."""
    if len(what) < 2:
        yield from map(do, what)
        return
    with ThreadPoolExecutor(min(AT_A_TIME, len(what)), "pellucid-remote") as pool:
        yield from pool.map(do, what)


def is_folder(path: str | Path, error: type[PellucidError] = PellucidError) -> bool:
    """Whether a path is that of a directory, or an address that of a folder."""
    address = address_of(path, error)
    if address is None:
        return Path(path).is_dir()
    found = find(address, error)
    return found is not None and found.folder
