"""An output folder in a store: the folder is written here, and each file of it put there in turn.

Files are put when they are in place here, and removed there before anything that follows, so that
the store is at any moment where a folder of this machine may be. What it holds is the truth: a run
that goes on begins with what is there, whatever was left here. Nothing keeps others out of a store,
so each run leaves its mark there, and one that finds another's ends.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from pellucid.errors import OutputError
from pellucid.files import remove as remove_file
from pellucid.files import remove_tree
from pellucid.notices import Where
from pellucid.remote import (
    Found,
    address_of,
    beside,
    cache_folder,
    fetch,
    find,
    joined,
    listed,
    put,
    read,
    refuse_web,
    remove,
    shown_address,
    together,
)

STATE, SUMMARY, RESULTS = ".batch", "summary.json", "explanation.results-"
_MARK = f"{STATE}/owner"
# Of the state, what is of this machine alone.
_OWN = ("lock", "begun", "tmp")


class Here:
    """The side of a store that a folder of this machine has: none, all is in `folder` already."""

    def __init__(self, folder: Path, where: Where | None = None) -> None:
        self.folder = folder
        self.where = where or Where(file=str(folder))

    def is_free(self, summary: Callable[[], object]) -> bool:
        """Whether nothing is there but what a run has written. Raises OutputError."""
        if self.folder.exists() and not self.folder.is_dir():
            raise OutputError("is a file", where=self.where, hint="name a folder")
        ours = (self.folder / STATE).is_dir() or summary()
        return bool(ours) or not self.folder.is_dir() or not any(self.folder.iterdir())

    def pull(self) -> None:
        """Let the folder here be what is there, but for pictures, and leave a mark there."""

    def check_mark(self) -> None:
        """Raise OutputError where another run has begun to write there since."""

    def push(self, paths: Sequence[Path]) -> None:
        """Put files that are in place here. Raises OutputError."""

    def drop(self, paths: Sequence[Path]) -> None:
        """Remove what is there of files. Raises OutputError."""

    def drop_tree(self, path: Path) -> None:
        """Remove what is there of a folder. Raises OutputError."""

    def push_pages(self) -> None:
        """Put the pages of the gallery, the first last, and remove those of a longer run."""

    def leave(self, *, complete: bool) -> None:
        """Remove the folder here, and, of a run that is complete, its state there."""


class Mirror(Here):
    """The store's side of a folder, whose files are written in `folder` first."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        digest = hashlib.sha256(self.address.encode()).hexdigest()[:32]
        folder = cache_folder() / "output" / digest
        super().__init__(folder, Where(file=shown_address(self.address)))
        self._mark = b""

    def is_free(self, summary: Callable[[], object]) -> bool:
        """Whether nothing is there but what a run has written. Raises OutputError."""
        refuse_web(self.address, OutputError)
        found = find(self.address, OutputError)
        if found is not None and not found.folder:
            raise OutputError("is an object", where=self.where, hint="name a folder")
        if found is None or next(self._below(""), None) is None:
            return True
        known = find(self._at(SUMMARY), OutputError)
        return known is not None or next(self._below(STATE), None) is not None

    def pull(self) -> None:
        """Let the folder here be what is there, but for pictures, and leave a mark there."""
        keep = {self.folder / STATE / name for name in _OWN}
        for folder, folders, files in os.walk(self.folder, topdown=True):
            folders[:] = [it for it in folders if Path(folder, it) not in keep]
            for name in files:
                if Path(folder, name) not in keep:
                    remove_file(Path(folder, name))
        wanted = [*self._below(STATE)]
        going_on = any(it.address == self._at(f"{STATE}/plan.json") for it in wanted)
        if going_on:
            wanted += self._results()
        summary = find(self._at(SUMMARY), OutputError)
        wanted += [summary] if summary is not None else []
        for _ in together(self._fetch, wanted):
            pass
        self._mark = secrets.token_hex(16).encode()
        put(self._at(_MARK), self._mark, OutputError)

    def check_mark(self) -> None:
        """Raise OutputError where another run has begun to write there since."""
        if read(self._at(_MARK), OutputError) != self._mark:
            what = "another run has begun to write there since"
            raise OutputError(what, where=self.where, hint="let one of them end")

    def push(self, paths: Sequence[Path]) -> None:
        """Put files that are in place here. Raises OutputError."""

        def one(path: Path) -> None:
            if self._is_there(path):
                put(self._at(self._name(path)), path, OutputError)

        for _ in together(one, paths):
            pass

    def drop(self, paths: Sequence[Path]) -> None:
        """Remove what is there of files. Raises OutputError."""
        remove([self._at(self._name(path)) for path in paths if self._is_there(path)], OutputError)

    def drop_tree(self, path: Path) -> None:
        """Remove what is there of a folder. Raises OutputError."""
        if self._is_there(path):
            remove([it.address for it in self._below(self._name(path))], OutputError)

    def push_pages(self) -> None:
        """Put the pages of the gallery, the first last, and remove those of a longer run."""
        pages = sorted(self.folder.glob("index*.html"), reverse=True)
        self.push([it for it in pages if it.name != "index.html"])
        self.push([it for it in pages if it.name == "index.html"])
        number = len(pages) + 1
        while find(old := self._at(f"index-{number}.html"), OutputError) is not None:
            remove([old], OutputError)
            number += 1

    def leave(self, *, complete: bool) -> None:
        """Remove the folder here, and, of a run that is complete, its state there."""
        remove_tree(self.folder)
        if complete:
            with suppress(OutputError):  # whoever writes there next removes it
                self.drop_tree(self.folder / STATE)

    def _fetch(self, found: Found) -> None:
        name = found.address[len(self.address) + 1 :]
        path = self.folder.joinpath(*name.split("/"))
        # A key may be anything, and only what a run names so is taken.
        if self._name(path) == name and ".." not in name.split("/") and self._is_there(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            fetch(found.address, path, OutputError, found.size)

    def _below(self, name: str) -> Iterator[Found]:
        return listed(self._at(name) if name else self.address, OutputError, hidden=True)

    def _results(self) -> Iterator[Found]:
        """Yield the files of results."""
        for found in beside(self.address, OutputError):
            if found.address.rpartition("/")[2].startswith(RESULTS):
                yield found

    def _at(self, name: str) -> str:
        return joined(self.address, name)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _is_there(self, path: Path) -> bool:
        """Whether a file is one of those that the store has, and not of this machine alone."""
        parts = path.relative_to(self.folder).parts
        return not (parts[:1] == (STATE,) and parts[1:2] and parts[1] in _OWN)


def store_of(path: Path) -> Here:
    """Return the store of a folder, or of this machine. Raises OutputError."""
    address = address_of(path, OutputError)
    return Here(path) if address is None else Mirror(address)
