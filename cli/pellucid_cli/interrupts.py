"""Ctrl-C, once to stop where it can go on, twice to stop at once; the same for SIGTERM and SIGHUP.

Where nothing would be lost, once is enough.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Interrupted:
    """Which signal asked to stop, if any."""

    signal: int | None = None

    @property
    def code(self) -> int:
        """The exit code of a program that a signal ended."""
        return 128 + (self.signal or signal.SIGINT)


@contextmanager
def stopping(
    stop: threading.Event, say: Callable[[str], object], busy: Callable[[], bool]
) -> Iterator[Interrupted]:
    """Set `stop` at the first Ctrl-C, SIGTERM or SIGHUP; at the second, raise KeyboardInterrupt.

    While nothing is `busy`, it is raised at the first.
    """
    asked = Interrupted()

    def handle(number: int, frame: FrameType | None) -> None:
        if asked.signal is not None:
            raise KeyboardInterrupt
        asked.signal = number
        stop.set()
        if not busy():
            say("stopped; the same command goes on from there")
            raise KeyboardInterrupt
        say("stopping after the blocks in flight; Ctrl-C again stops at once")

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            # What runs in the background of a script is not to hear Ctrl-C, or, under nohup, that
            # the terminal is gone.
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handle)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_at_once(code: int) -> None:
    """End the process without waiting for its threads: all that is written is whole."""
    os._exit(code)
