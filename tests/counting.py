"""How much work a function does, counted instead of timed: the same on every machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def calls_of(work: Callable[[], object], most: float = float("inf")) -> int:
    """Return how many functions `work` calls, those of C included, on this thread.

    Work that would never end is ended: it fails as soon as there are more than `most`.
    """
    count = 0

    def counted(frame: object, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")
        if count > most:
            raise AssertionError(f"more than {most:,} calls")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
