"""What ends the work on a request early: its deadline, or that nobody waits any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from starlette.requests import Request

from pellucid.serve.http_errors import CLIENT_GONE, HttpError


class Deadline:
    """A block of the current task that is left with a HttpError when its time is over.

    `late` makes that HttpError, by what is known then. Once the body of a request has been read,
    `watch` leaves the block, too, when the client goes away. It costs a timer and a task, where
    ``asyncio.wait_for`` around each stage would cost several.
    """

    def __init__(self, seconds: float, late: Callable[[], HttpError]) -> None:
        self._late = late
        self._seconds = seconds
        self._why: HttpError | None = None
        self._watching: asyncio.Task[None] | None = None

    def __enter__(self) -> Deadline:
        task = asyncio.current_task()
        assert task is not None, "requests are answered in tasks"
        self._task = task
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._over)
        return self

    def watch(self, request: Request) -> None:
        """Leave the block when the client has gone; its body has been read, so it is silent."""
        self._watching = asyncio.ensure_future(_disconnected(request))
        self._watching.add_done_callback(self._left)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
        if isinstance(error, asyncio.CancelledError) and self._why is not None:
            if hasattr(self._task, "uncancel"):  # from Python 3.11 on
                self._task.uncancel()
            raise self._why from None

    def _over(self) -> None:
        self._end(self._late())

    def _left(self, watching: asyncio.Task[None]) -> None:
        if not watching.cancelled() and watching.exception() is None:
            self._end(HttpError(CLIENT_GONE, "the client went away"))

    def _end(self, why: HttpError) -> None:
        if self._why is None:
            self._why = why
            self._task.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
