"""Files that are there, whole, after a power cut.

After one, a disk holds what was flushed to it: the bytes of a file that was synced, and the names
in a folder that was. So a file is written aside, synced, and renamed into place, and then its
folder is synced; whatever says that the file is there is written after that.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

T = TypeVar("T")

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)
# What file systems say that have nothing to sync.
_NOTHING_TO_SYNC = (errno.EINVAL, errno.ENOTSUP)
# So many files are written before they are synced, a few at a time: a file system makes one commit
# of what comes together. 128 small ones on ext4 took 0.03 s so, and 0.4 s one after the other.
_OPEN = 128
_TOGETHER = 4


def create(path: Path) -> BinaryIO:
    """Open a file to be written from its beginning. Raises OSError."""
    return os.fdopen(os.open(path, _NEW, 0o666), "wb")


def sync(file: BinaryIO) -> None:
    """Have a file's bytes on the disk."""
    file.flush()
    _sync(file.fileno())


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk; one that does not exist has none."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    except PermissionError:
        if os.name == "nt":  # where folders cannot be opened
            return
        raise
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def rename(before: Path, after: Path) -> None:
    """Give a file another name, whatever had that; the folders are to be synced."""
    os.replace(before, after)


def put_in_place(aside: Path, path: Path) -> None:
    """Rename a file that was written aside, such that it stays."""
    with aside.open("rb") as file:
        _sync(file.fileno())
    rename(aside, path)
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are missing, such that they stay."""
    path = path.absolute()
    missing = [it for it in (path, *path.parents) if not it.is_dir()]
    for folder in reversed(missing):
        with suppress(FileExistsError):
            os.mkdir(folder)
    for folder in {path, *missing}:
        sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there; the folder is to be synced."""
    with suppress(FileNotFoundError):
        os.unlink(path)


def remove_tree(path: Path) -> None:
    """Remove a folder and all that is in it, if it is there, as far as that is possible."""
    if path.is_symlink():
        return
    for folder, folders, files in os.walk(path, topdown=False):
        for name in files:
            with suppress(OSError):
                os.unlink(os.path.join(folder, name))
        for name in folders:
            inner = os.path.join(folder, name)
            with suppress(OSError):
                os.unlink(inner) if os.path.islink(inner) else os.rmdir(inner)
    with suppress(OSError):
        os.rmdir(path)


class Writer:
    """Writes files below `root` that appear together, each whole.

    What is added is written in the folder `aside`, and appears when `settle` is called; `settled`
    is told then.
    """

    def __init__(
        self, root: Path, aside: Path, settled: Callable[[Sequence[Path]], None] | None = None
    ) -> None:
        self._root, self._aside, self._settled = root, aside, settled
        self._added: dict[Path, Path] = {}
        self._open: list[BinaryIO] = []
        self._known: set[Path] = set()
        self._touched: set[Path] = set()
        self._count = 0

    def add(self, path: Path, data: bytes) -> None:
        """Write a file. Raises OSError, also where its name cannot be had."""
        with self.opened(path) as file:
            file.write(data)

    @contextmanager
    def opened(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file to be written."""
        self._make(path.parent)
        self._refuse_folder(path)
        self._count += 1
        aside = self._aside / f"{self._count}.partial"
        file = create(aside)
        try:
            yield file
            file.flush()
        except BaseException:
            with suppress(OSError):  # it would try again to write what it could not
                file.close()
            remove(aside)
            raise
        self._added[path] = aside
        self._open.append(file)
        if len(self._open) >= _OPEN:
            self._sync()

    def discard(self, paths: Iterable[Path]) -> None:
        """Forget files that were added and are not to appear."""
        for path in paths:
            if path in self._added:
                remove(self._added.pop(path))

    def settle(self) -> None:
        """Let all that was added appear, on the disk. Raises OSError."""
        self._sync()
        for path, aside in self._added.items():
            rename(aside, path)
            self._touched.add(path.parent)
        added = [*self._added]
        self._added.clear()
        _together(sync_folder, sorted(self._touched))
        self._touched.clear()
        if self._settled is not None:
            self._settled(added)

    def close(self) -> None:
        """Forget what has not appeared."""
        while self._open:
            self._open.pop().close()
        self.discard([*self._added])

    def _sync(self) -> None:
        _together(sync, self._open)
        while self._open:
            self._open.pop().close()

    def _make(self, folder: Path) -> None:
        """Make a folder, and have its name and those above it synced, whoever made them."""
        if folder in self._known or folder == self._root:
            return
        self._make(folder.parent)
        with suppress(FileExistsError):
            os.mkdir(folder)
        if not stat.S_ISDIR(os.stat(folder).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        self._known.add(folder)
        self._touched.add(folder.parent)

    def _refuse_folder(self, path: Path) -> None:
        """Raise OSError now for a name that no file can have, and not when it is renamed."""
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(os.lstat(path).st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def _together(do: Callable[[T], None], what: Sequence[T]) -> None:
    """Do something to each, a few at a time. Raises what the first of them raises, when all end."""
    if len(what) < _TOGETHER:
        for it in what:
            do(it)
        return
    with ThreadPoolExecutor(_TOGETHER, "pellucid-sync") as pool:
        for _ in pool.map(do, what):
            pass


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOTHING_TO_SYNC:
            raise
