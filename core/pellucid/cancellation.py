"""Work that may be given up: whoever has it done says when, whoever does it asks now and then.

What is asked for is a context's own, so that it need not be handed through every call between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_given_up: ContextVar[Callable[[], bool]] = ContextVar("given_up", default=lambda: False)


class Cancelled(Exception):
    """The work was given up: nobody waits for what comes of it."""


@contextmanager
def cancelled_when(given_up: Callable[[], bool]) -> Iterator[None]:
    """Have `check` raise Cancelled in this block as soon as `given_up()` is true.

    Within another such block, that one's end is this one's, too.
    """
    outer = _given_up.get()
    token = _given_up.set(lambda: given_up() or outer())
    try:
        yield
    finally:
        _given_up.reset(token)


def check() -> None:
    """Raise Cancelled if the work at hand was given up; cheap enough for every block of rows."""
    if _given_up.get()():
        raise Cancelled
