"""An end to what may never end: a loop in a model cannot be interrupted, but its process left."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pellucid_cli.interrupts import leave_at_once


@contextmanager
def time_limit(seconds: float | None, give_up: Callable[[], int]) -> Iterator[None]:
    """Call `give_up` where the body takes longer, and end the process with the code it returns."""
    if seconds is None:
        yield
        return
    first = threading.Lock()

    def end() -> None:
        if first.acquire(blocking=False):
            code = give_up()
            sys.stderr.flush()
            leave_at_once(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        if not first.acquire(blocking=False):
            threading.Event().wait()  # the process is being left
        timer.cancel()
