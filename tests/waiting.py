"""Waiting for what is bound to happen: the limit is that of a test that hangs, not of a speed."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(true: Callable[[], object]) -> None:
    """Wait until something is true; that it does not come for five minutes is a failure."""
    end = time.monotonic() + 300
    while not true():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)
