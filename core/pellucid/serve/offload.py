"""Threads that read and write for the event loop, which has to stay free for others.

What is asked for in one turn of the loop goes to a thread as one job, as long as it is small: when
a block is computed, all its answers are due at once, and to wake a thread for each of them, and the
loop again, would cost more than to write it.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Asked: TypeAlias = tuple[Callable[[], Any], asyncio.Future[Any]]
Found: TypeAlias = tuple[asyncio.Future[Any], Any, BaseException | None]

LARGE = 2**18
"""The bytes at which a job is full."""


class OffloadPool:
    """Runs functions of one event loop on a few threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(
            max(2, os.cpu_count() or 2), thread_name_prefix="offload"
        )
        self._job: deque[Asked] = deque()
        self._bytes = 0

    async def do(self, size: int, function: Callable[[], T]) -> T:
        """Return what a function returns that reads or writes about `size` bytes."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        if not self._job:
            loop.call_soon(self._hand_over, loop)
        self._job.append((function, done))
        self._bytes += size
        if self._bytes >= LARGE:
            self._hand_over(loop)
        return await done

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._job:
            self._start(self._job, loop)
            self._job, self._bytes = deque(), 0

    def _start(self, job: deque[Asked], loop: asyncio.AbstractEventLoop) -> None:
        found: list[Found] = []

        def ended(future: Future[None]) -> None:
            # A closed loop, or closed threads: nobody waits any more.
            with suppress(RuntimeError):
                if future.cancelled():
                    return
                if (error := future.exception()) is not None:
                    # It is for whoever asked; the others of the job go on.
                    found.append((job.popleft()[1], None, error))
                    if job:
                        self._start(job, loop)
                loop.call_soon_threadsafe(_tell, found)

        self._threads.submit(_do, job, found).add_done_callback(ended)


def _do(job: deque[Asked], found: list[Found]) -> None:
    while job:
        function, done = job[0]
        if not done.cancelled():
            found.append((done, function(), None))
        job.popleft()


def _tell(found: list[Found]) -> None:
    for done, result, error in found:
        if done.cancelled():
            continue
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)
