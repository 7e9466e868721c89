"""Which files to explain: directories, patterns, files and lists of them, in a fixed order.

Names are found one by one and never all held. Within a directory they are sorted, directories and
files together; links to files are followed, links to directories are not. Of addresses, the objects
of a store are found, by their names.
"""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from pellucid.errors import InstanceError
from pellucid.files import NO_FILE, open_file, shown
from pellucid.inputs.files import TEXT, suffix_of
from pellucid.inputs.found.elsewhere import Below
from pellucid.inputs.found.kinds import is_input
from pellucid.inputs.found.places import plain_part
from pellucid.inputs.found.runs import holds_run, is_of_run
from pellucid.notices import Notice, Where
from pellucid.remote import (
    MAGIC,
    Found,
    address_of,
    find,
    is_web,
    matching,
    place_of,
    shown_address,
    together,
)

STDIN = "<stdin>"
AT_A_TIME = 256
"""How many names of a list are looked up together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A file to explain: its path as the person named it, and what tells that it has changed.

    `problem` says why it cannot be read, as far as that is known; `source` is what people call it,
    if that is not its path.
    """

    path: str
    size: int = -1
    modified: int = 0
    problem: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a person asked for: `named` are files, directories and patterns, `listed` files.

    `standard` is the file that stdin was kept in, if ``-`` was named; `avoided` is the folder that
    is written, which may lie within a folder that is read, and `truth` a file that is none of the
    inputs, wherever it lies. The ``.txt`` files of a folder are
    inputs if the model takes `texts`: beside pictures, they are notes. `left_out` are folders in
    which an earlier run has written: all of them, and of one that is named, what that wrote.
    """

    named: Sequence[str] = ()
    listed: Iterable[str] = ()
    standard: str | None = None
    avoided: str | None = None
    truth: Path | None = None
    texts: bool = False
    left_out: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Input]:
        """Yield each file once. Raises InstanceError for a name that leads to nothing."""
        several = len(self.named) != 1 or not isinstance(self.listed, tuple)
        seen: set[str] = set()
        for it in self._all():
            if self._is_truth(it.path):
                continue
            if several:
                if it.path in seen:
                    continue
                seen.add(it.path)
            yield it

    def check(self) -> None:
        """Raise InstanceError for an argument that leads to nothing, whatever the model takes."""
        anything = replace(self, texts=True)
        for name in self.named:
            next(anything._under(name))

    @property
    def notice(self) -> Notice | None:
        """What is left out, as far as the names have been asked for, None for nothing."""
        if not self.left_out:
            return None
        others = len(self.left_out) - 1
        more = f", here and in {others:,} more folders" if others else ""
        what = f"what an earlier run wrote is left out{more}"
        return Notice(what, Where(file=shown(self.left_out[0])))

    def _all(self) -> Iterator[Input]:
        for name in self.named:
            yield from self._under(name)
        for names in _some_at_a_time(self.listed):
            elsewhere = any(_is_address(it) for it in names)
            yield from together(_input, names) if elsewhere else map(_input, names)

    def _under(self, name: str) -> Iterator[Input]:
        address = address_of(name, InstanceError)
        if address is not None:
            yield from self._elsewhere(address)
        elif name == "-" and self.standard is not None:
            yield replace(_input(self.standard), modified=_digest(self.standard), source=STDIN)
        elif os.path.isdir(name):
            yield from self._some(self._walk(name), name)
        elif os.path.lexists(name):
            yield _input(name)
        elif glob.has_magic(name):
            yield from self._matching(name)
        else:
            raise InstanceError("no such file or directory", where=Where(file=shown(name)))

    def _elsewhere(self, address: str) -> Iterator[Input]:
        """Yield the object that is called so, or those below it, or those that match."""
        found, avoided = find(address, InstanceError), _beside(self.avoided or "", address)
        if found is not None and not found.folder:
            yield _of_store(found)
        elif found is None and MAGIC.search(address) and not is_web(address):
            matches = map(_of_store, matching(address, InstanceError, avoided))
            first = next(matches, None)
            if first is None:
                raise InstanceError("matches no object", where=Where(file=shown_address(address)))
            yield from chain((first,), matches)
        elif found is None:
            what = "there is no such object or folder"
            raise InstanceError(what, where=Where(file=shown_address(address)))
        else:
            below = Below(address, avoided, self.named, self.left_out)
            inputs = (it for it in map(_of_store, below) if self._takes(it.path))
            yield from self._some(inputs, shown_address(address))

    def _takes(self, name: str) -> bool:
        return is_input(name) or (self.texts and suffix_of(name) == TEXT)

    def _matching(self, pattern: str) -> Iterator[Input]:
        written = cache(self._is_written)
        inside = written(plain_part(pattern))
        matches = [
            name
            for name in sorted(glob.glob(pattern, recursive=True))
            if inside or not written(os.path.dirname(name))
        ]
        if not matches:
            raise InstanceError("matches no file", where=Where(file=shown(pattern)))
        deep = "**" in pattern
        for name in matches:
            if not os.path.isdir(name):
                yield _input(name)
            elif not deep and not self._is_avoided(name):  # ** has found what is in it already
                yield from self._walk(name)

    def _some(self, found: Iterator[Input], name: str) -> Iterator[Input]:
        first = next(found, None)
        if first is None:
            raise InstanceError(
                "holds no input",
                where=Where(file=shown(name)),
                hint="inputs are pictures, and .json, .jsonl, .csv, .tsv, .parquet, .tfrecord and "
                ".npy files, and .txt files for a model of texts",
            )
        yield first
        yield from found

    def _walk(self, directory: str) -> Iterator[Input]:
        try:
            with os.scandir(directory) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield Input(path=directory, problem=f"cannot be read ({error.strerror})")
            return
        written = holds_run([entry.name for entry in entries])
        if written:
            self.left_out.append(directory)
            if directory not in self.named:
                return
        for entry in entries:
            if entry.name.startswith(".") or (written and is_of_run(entry.name)):
                continue
            if self._takes(entry.name):
                yield _input(entry.path)
            if entry.is_dir(follow_symlinks=False) and not self._is_avoided(entry.path):
                yield from self._walk(entry.path)

    def _is_truth(self, path: str) -> bool:
        if self.truth is None or os.path.basename(path) != self.truth.name:
            return False
        return os.path.realpath(path) == os.path.realpath(self.truth)

    def _is_avoided(self, directory: str) -> bool:
        return self.avoided is not None and os.path.realpath(directory) == self.avoided

    def _is_written(self, directory: str) -> bool:
        """Whether a directory is the one that is avoided, or lies in it."""
        path = os.path.realpath(directory)
        return self.avoided is not None and f"{path}{os.sep}".startswith(f"{self.avoided}{os.sep}")


def names_in(file: BinaryIO, *, null: bool) -> Iterator[str]:
    """Yield the names in a list, one a line, or each ended by NUL."""
    if not null:
        for line in file:
            if name := line.rstrip(b"\r\n"):
                yield os.fsdecode(name)
        return
    rest = b""
    while data := file.read(1 << 16):
        *names, rest = (rest + data).split(b"\0")
        yield from (os.fsdecode(name) for name in names if name)
    if rest:
        yield os.fsdecode(rest)


def _of_store(found: Found) -> Input:
    return Input(
        path=found.address,
        size=found.size,
        modified=found.version,
        source=shown_address(found.address),
    )


def _beside(avoided: str, address: str) -> str:
    """Return the folder that is avoided below an address, "" where the address lies in it."""
    inside = f"{address.rstrip('/')}/".startswith(f"{avoided.rstrip('/')}/")
    return "" if inside else avoided


def _is_address(name: str) -> bool:
    return "://" in name


def _some_at_a_time(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while some := [*islice(rest, AT_A_TIME)]:
        yield some


def _input(path: str) -> Input:
    try:
        address = address_of(path, InstanceError)
        if address is not None:
            return _of_object(address)
        status = os.stat(path)
    except OSError as error:
        return Input(path=path, problem=_reason(path, error))
    except InstanceError as error:
        return Input(path=path, problem=error.what, source=place_of(path))
    if stat.S_ISDIR(status.st_mode):
        return Input(path=path, problem="is a directory, not a file")
    if not stat.S_ISREG(status.st_mode):
        # Nobody may ever write into that pipe.
        return Input(path=path, problem=NO_FILE)
    return Input(path=path, size=status.st_size, modified=status.st_mtime_ns)


def _of_object(address: str) -> Input:
    found = find(address, InstanceError)
    if found is not None and not found.folder:
        return _of_store(found)
    problem = "there is no such object" if found is None else "is a folder, not an object"
    return Input(path=address, problem=problem, source=shown_address(address))


def _digest(path: str) -> int:
    digest = hashlib.sha256()
    with open_file(path) as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return int.from_bytes(digest.digest()[:8], "big")


def _reason(path: str, error: OSError) -> str:
    if os.path.islink(path) and isinstance(error, FileNotFoundError):
        return f"is a link to {shown(os.readlink(path))}, which does not exist"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return f"cannot be read ({error.strerror})"
