"""Models and documents from a store, copied once into a cache, and never changed there.

A copy lies under a digest of its address and of what tells that an object has changed, so that a
model that is written anew is copied anew. It is made aside and renamed: of two processes that copy
the same, one is first, and the other finds what that made.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from pellucid.errors import OutputError, PellucidError
from pellucid.files import make_folder, open_file, sync_folder
from pellucid.files import sync as sync_file
from pellucid.notices import Where
from pellucid.remote.addresses import is_safe_name, is_web, joined, public, shown_address
from pellucid.remote.listing import beside, listed
from pellucid.remote.objects import Found, fetch, find, together

MOST = 10_000
"""Of more files than these, no model is made."""


def cache_folder() -> Path:
    """Return the folder of copies: ``$XDG_CACHE_HOME/pellucid/remote``, else in ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "pellucid" / "remote"


def file_copy(address: str, error: type[PellucidError]) -> Path:
    """Return the copy of one object, made now unless it is there. Raises `error`."""
    found = find(address, error)
    where = Where(file=shown_address(address))
    if found is None:
        raise error("there is no such object", where=where)
    if found.folder:
        raise error("is a folder", where=where, hint="name a file in it")
    name = public(address).rpartition("/")[2]
    return _copy(address, [(name if is_safe_name(name) else "copy", found)], error)[0]


def folder_copy(
    address: str, marks: Sequence[str], folders: Sequence[str], error: type[PellucidError]
) -> tuple[Path, bool]:
    """Return the copy of a folder that holds one of `marks`, and whether it was there already.

    The files in it are copied, and of the folders in it, all that is below `folders`. Raises
    `error` where it is none, or holds names that would lead out of the copy.
    """
    names = files_of(address, marks, folders, error)
    copy, there = _copy(address.rstrip("/"), names, error)
    return copy.parents[names[0][0].count("/")], there


def files_of(
    address: str, marks: Sequence[str], folders: Sequence[str], error: type[PellucidError]
) -> list[tuple[str, Found]]:
    """Return what would be copied of a folder, each with its name. Raises `error`."""
    address = address.rstrip("/")
    where = Where(file=shown_address(address))
    if is_web(address):
        what = "a server of the web does not list the files of a model"
        raise error(what, where=where, hint="name a .keras file there, or copy the model here")
    files, inner = _top(address, error)
    if not any(joined(address, mark) in (it.address for it in files) for mark in marks):
        versions = [it for it in inner if find(joined(joined(address, it), marks[0]), error)]
        if versions:
            best = max(versions, key=lambda it: (it.isdigit(), len(it), it))
            what = f"has no {marks[0]}, but {shown_address(joined(address, best))} has one"
            raise error(what, where=where, hint="give that")
        if not files and not inner:
            raise error("there is no such folder", where=where)
        raise error(f"has no {marks[0]}, so it is not a SavedModel", where=where)
    found = [*files]
    for name in folders:
        if name in inner:
            found += listed(joined(address, name), error)
    if len(found) > MOST:
        raise error(f"holds {len(found):,} files, too many for a model", where=where)
    names = [(it.address[len(address) + 1 :], it) for it in found]
    for name, it in names:
        if not is_safe_name(name):
            what = "has a name that no file of a model can have here"
            raise error(what, where=Where(file=shown_address(it.address)))
    return names


def outline(address: str, folder: Path, whole: Callable[[str], bool]) -> None:
    """Make the files below an address in a folder here: those that are wanted whole, or empty.

    Those whose names no file can have here are left out. Raises OutputError.
    """
    address = address.rstrip("/")

    def one(found: Found) -> None:
        name = found.address[len(address) + 1 :]
        if is_safe_name(name):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if whole(name):
                fetch(found.address, path, OutputError, found.size)
            else:
                path.touch()

    below = listed(address, OutputError)
    while some := [*islice(below, MOST)]:
        for _ in together(one, some):
            pass


def _top(address: str, error: type[PellucidError]) -> tuple[list[Found], list[str]]:
    """Return the files in a folder, and the names of the folders in it."""
    found = beside(address, error)
    names = [it.address.rpartition("/")[2] for it in found if it.folder]
    return [it for it in found if not it.folder and "/." not in it.address[len(address) :]], names


def _copy(
    address: str, names: Sequence[tuple[str, Found]], error: type[PellucidError]
) -> tuple[Path, bool]:
    """Return the path of the first of some objects in the copy of all, and whether it was there."""
    digest = hashlib.sha256(public(address).encode())
    for name, it in names:
        digest.update(f"{name}\0{it.size}\0{it.version}\n".encode())
    own = public(address).rstrip("/").rpartition("/")[2]
    own = own if is_safe_name(own) else "model"
    home = cache_folder() / digest.hexdigest()[:32]
    inner = home / own if len(names) > 1 or "/" in names[0][0] else home
    first = inner / names[0][0]
    if home.is_dir():
        return first, True
    try:
        make_folder(home.parent)
        os.chmod(home.parent, 0o700)  # what is copied may be for its reader only
        aside = Path(tempfile.mkdtemp(dir=home.parent, prefix=f".{home.name}."))
        try:
            _fill(aside / inner.relative_to(home), names, error)
            try:
                os.rename(aside, home)
            except OSError:
                if not home.is_dir():  # nobody was first
                    raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        sync_folder(home.parent)
    except OSError as failed:
        what = f"cannot be copied to {home.parent}: {failed.strerror or failed}"
        raise error(what, where=Where(file=shown_address(address))) from failed
    return first, False


def _fill(folder: Path, names: Sequence[tuple[str, Found]], error: type[PellucidError]) -> None:
    for path in sorted({folder / name for name, _ in names}):
        path.parent.mkdir(parents=True, exist_ok=True)

    def one(pair: tuple[str, Found]) -> None:
        path = folder / pair[0]
        fetch(pair[1].address, path, error, pair[1].size)
        with open_file(path) as file:
            sync_file(file)

    for _ in together(one, names):
        pass
