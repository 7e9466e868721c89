"""What is printed: the one place that writes on stdout and stderr, and reads stdin.

Names of files, features and classes may hold anything, so all that is printed for people is written
as `pellucid.printable` has it. Inside GitHub Actions, a line that begins with ``::`` is a command,
whoever wrote it, and so is ``##[`` anywhere; there they are escaped, too.

Whoever reads may have gone. What is said on stderr is then said to nobody, and the work goes on.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, NamedTuple

import click

from pellucid.errors import InstanceError, OutputError
from pellucid.printable import BEYOND, printable

# What stands in their place is the same sign to readers of JSON.
_OF_ACTIONS = re.compile(r"^((?:\s|\x1b\[[0-9;]*m)*):(?=:)|#(?=#\[)", re.MULTILINE)

_BEYOND = re.compile(f"[{BEYOND}]")


class Styled(NamedTuple):
    """A part of a line that has a colour on a terminal."""

    text: str
    color: str | None = None
    bold: bool = False


def line(*parts: str | Styled) -> str:
    """Return a line of text as it is printed: every part of it may have been written by others."""
    made = ""
    for it in parts:
        if isinstance(it, str):
            made += printable(it)
        else:
            made += click.style(printable(it.text), fg=it.color, bold=it.bold or None)
    return unlike_commands(made)


def unlike_commands(text: str) -> str:
    """Return lines that GitHub Actions, if this is run there, does not take for commands."""
    if not _in_actions():
        return text
    return _OF_ACTIONS.sub(lambda it: f"{it[1]}\\u003a" if it[1] is not None else "\\u0023", text)


def _in_actions() -> bool:
    return bool(os.environ.get("GITHUB_ACTIONS"))


def say(*parts: str | Styled, color: bool | None = None) -> None:
    """Print a line for people, on stderr."""
    click.echo(line(*parts), err=True, color=color)


def put(*parts: str | Styled) -> None:
    """Print a line on stdout, if there is one."""
    if sys.stdout is not None:
        write(line(*parts) + "\n")


def write(text: str, *, commands: bool = False) -> None:
    """Print lines on stdout that are escaped already; they may be `commands` of GitHub's."""
    check_stdout()
    click.echo(text if commands else unlike_commands(text), nl=False)


def write_bytes(data: bytes) -> None:
    """Write JSON or a table to stdout: all of it, even where that takes only a part at a time.

    What is odd in JSON is the same to its readers as an escape, and harmless to a terminal.
    """
    check_stdout()
    if _in_actions():
        data = unlike_commands(data.decode()).encode()
    if sys.stdout.isatty():
        text = _BEYOND.sub(lambda it: f"\\u{ord(it[0]):04x}", data.decode())
        data = text.encode()
    rest = memoryview(data)
    while rest:
        rest = rest[sys.stdout.buffer.write(rest) :]
    sys.stdout.buffer.flush()


def check_stdout() -> None:
    """Raise OutputError where there is no stdout; asked before any work is done for it."""
    if sys.stdout is None:
        raise OutputError("stdout is closed")


def read_stdin() -> bytes:
    """Return all that comes from stdin. Raises InstanceError where it is closed."""
    return stdin().read()


def stdin() -> BinaryIO:
    """Return stdin, to be read. Raises InstanceError where it is closed."""
    if sys.stdin is None:
        raise InstanceError("stdin is closed")
    return sys.stdin.buffer


class _Forgiving(io.FileIO):
    """A file that takes whatever nobody reads any more."""

    def write(self, data: object) -> int:
        """Write, if anybody reads."""
        with suppress(OSError):
            return super().write(data)  # type: ignore[arg-type]
        return memoryview(data).nbytes  # type: ignore[arg-type]


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let no file be opened in the place of a closed stream, and nothing fail on stderr.

    The next file that is opened would be stdout, for a library that prints.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # One that cannot be written, so that whoever writes to a closed stdout hears of it.
            flags = os.O_WRONLY if descriptor == 2 else os.O_RDONLY
            os.open(os.devnull, flags)
    before = sys.stderr
    if before is not None:
        with suppress(OSError):
            before.flush()
    raw = _Forgiving(2, "wb", closefd=False)
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(before, "encoding", None) or "utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = before


def flush_stdout() -> None:
    """Write what is buffered for stdout."""
    if sys.stdout is not None:
        sys.stdout.flush()


def leave_stdout() -> None:
    """Forget what is buffered for stdout, which must not fail again when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
