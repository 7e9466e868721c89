"""The one thread that owns TensorFlow, and what waits for it.

Whatever waits with the same key (one model, one set of parameters) is put together into one block,
so that 64 requests of an instance each cost as much as one request of 64. All bookkeeping is done
on the event loop; the thread only computes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from pellucid.errors import PellucidError

T = TypeVar("T")

ROWS = 32
"""The instances of one block: enough to fill the device, few enough to turn to others soon."""
GATHERING = 0.005
"""How long to wait for others that are on their way, in seconds."""

Ask = Callable[[list[Any]], Sequence[Any]]


@dataclass(eq=False, slots=True)
class Work:
    """Up to `ROWS` instances of one request and the future that takes their answers."""

    key: Hashable
    ask: Ask
    instances: Sequence[Any]
    most: int
    done: asyncio.Future[Sequence[Any]]


class Device:
    """A queue before a thread; `on_block` is told the instances of each block and its seconds.

    `expected` is the number of requests that are being read and will bring work soon.
    """

    def __init__(self, on_block: Callable[[int, float], None] = lambda rows, seconds: None) -> None:
        self.expected = 0
        self._on_block = on_block
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tensorflow")
        self._waiting: deque[Work] = deque()
        self._arrived = asyncio.Event()
        self._seconds_per_row = 0.05

    @property
    def rows_waiting(self) -> int:
        """The instances that wait."""
        return sum(len(work.instances) for work in self._waiting)

    @property
    def seconds_to_wait(self) -> float:
        """How long what waits now will take, by what the last blocks took."""
        return self.rows_waiting * self._seconds_per_row

    async def ask(
        self, key: Hashable, ask: Ask, instances: Sequence[Any], most: int = ROWS
    ) -> list[Any]:
        """Return the answer for each instance; raises what `ask` raised.

        `ask` is called on the thread with instances of this request and of others that have the
        same key, at most `most` of them. Whoever is cancelled leaves the queue at once.
        """
        answers: list[Any] = []
        # One part after the other: a long request takes its turns with all others.
        size = min(most, ROWS)
        for first in range(0, len(instances), size):
            part = instances[first : first + size]
            work = Work(key, ask, part, size, asyncio.get_running_loop().create_future())
            self._waiting.append(work)
            self._arrived.set()
            try:
                answers += await work.done
            finally:
                if work in self._waiting:
                    self._waiting.remove(work)
        return answers

    async def call(self, function: Callable[[], T]) -> T:
        """Return what a function returns that has to run on the thread, such as a load."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def work(self) -> None:
        """Answer what waits, block after block, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            if self.expected and self._rows_of_next() < ROWS:
                await asyncio.sleep(GATHERING)
            block = self._take()
            if not block:
                self._arrived.clear()
                continue
            started = time.perf_counter()
            answered = loop.run_in_executor(self._thread, _answers, block)
            await asyncio.wait([answered])
            self._count(sum(len(work.instances) for work in block), time.perf_counter() - started)
            error = answered.exception()
            for number, work in enumerate(block):
                if work.done.cancelled():
                    continue
                found = error or answered.result()[number]
                if isinstance(found, BaseException):
                    work.done.set_exception(found)
                else:
                    work.done.set_result(found)

    def close(self) -> None:
        """Let the thread end when it has done what it is doing."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _rows_of_next(self) -> int:
        if not self._waiting:
            return 0
        key = self._waiting[0].key
        return sum(len(work.instances) for work in self._waiting if work.key == key)

    def _take(self) -> list[Work]:
        """Take the block of the longest waiting: those of the same key that fit in, in order."""
        block: list[Work] = []
        rows = 0
        for work in list(self._waiting):
            size = min([work.most, *(other.most for other in block)])
            if block and (work.key != block[0].key or rows + len(work.instances) > size):
                continue
            block.append(work)
            rows += len(work.instances)
            self._waiting.remove(work)
            if rows >= size:
                break
        return block

    def _count(self, rows: int, seconds: float) -> None:
        self._seconds_per_row += 0.2 * (seconds / rows - self._seconds_per_row)
        self._on_block(rows, seconds)


def _answers(block: Sequence[Work]) -> list[Sequence[Any] | PellucidError]:
    """Return the answers of each work, or its error: a bad one costs its neighbours nothing."""
    try:
        answers = block[0].ask([instance for work in block for instance in work.instances])
    except PellucidError as error:
        if len(block) == 1:
            return [error]
        half = len(block) // 2
        return [*_answers(block[:half]), *_answers(block[half:])]
    parts: list[Sequence[Any] | PellucidError] = []
    first = 0
    for work in block:
        parts.append(answers[first : first + len(work.instances)])
        first += len(work.instances)
    return parts
