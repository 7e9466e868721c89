"""What the garbage collector passes over while a server runs: the models, which stay."""

from __future__ import annotations

import asyncio
import gc


class Sparing:
    """Has the garbage collector pass over all that is loaded, from `begin` to `end`.

    A model has some hundred thousand objects, and looking through them again and again holds up
    every request. When the models have changed, all is looked through as ever for so many
    `seconds`, until no request can hold one that is served no more: what is passed over is never
    freed, if it is part of a cycle.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._begun = False

    def begin(self) -> None:
        """Pass over what is there."""
        self._begun = True
        gc.freeze()

    def changed(self) -> None:
        """Look through all until what was replaced is gone; to be called on the event loop."""
        if not self._begun:
            return
        gc.unfreeze()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._again)

    def end(self) -> None:
        """Pass over nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._begun:
            gc.unfreeze()
        self._begun = False

    def _again(self) -> None:
        gc.collect()
        gc.freeze()
