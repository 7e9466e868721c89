"""Files as people name them, opened without ever waiting: a pipe in the place of one is refused.

What a shell hands over is read as it comes: ``/dev/stdin``, and ``/dev/fd/63`` for ``<(command)``.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from os import PathLike
from typing import BinaryIO

NO_FILE = "is a pipe, a socket or a device, not a file"

_HANDED = re.compile(r"/dev/stdin|/dev/fd/\d+|/proc/(self|\d+)/fd/\d+")
# Names that Windows does not know are 0 there.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


def open_file(path: str | PathLike[str]) -> BinaryIO:
    """Open a file to read its bytes. Raises OSError, also for what is no regular file."""
    name = os.fspath(path)
    if _HANDED.fullmatch(name):
        return open(name, "rb")
    check_regular(name)  # to open a device may do something already
    descriptor = os.open(name, _FLAGS)
    try:
        _check(os.fstat(descriptor).st_mode, name)
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(path: str | PathLike[str]) -> None:
    """Raise OSError for what is no regular file, for those who can open files by name only."""
    _check(os.stat(path).st_mode, os.fspath(path))


def read_bytes(path: str | PathLike[str]) -> bytes:
    """Return the content of a file. Raises OSError."""
    with open_file(path) as file:
        return file.read()


def read_text(path: str | PathLike[str], encoding: str = "utf-8") -> str:
    """Return the text of a file, lines ended by newlines. Raises OSError, UnicodeDecodeError."""
    text = read_bytes(path).decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _check(mode: int, name: str) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"it {NO_FILE}", name)
