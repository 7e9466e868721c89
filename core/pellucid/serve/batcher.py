"""The threads that ask the models, and what waits for them.

Whatever waits with the same key (one model, one set of parameters) is put together into one block,
so that 64 requests of an instance each cost as much as one request of 64. Two blocks are under way
at a time: what of one of them is Python, before and after the device, is done while the other has
the device. The next one begins as soon as one is done, without waiting for the event loop, which
may have all the answers of the last one to send.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from pellucid.cancellation import cancelled_when
from pellucid.errors import PellucidError

T = TypeVar("T")

ROWS = 32
"""The instances of one block: enough to fill the device, few enough to turn to others soon."""
UNDER_WAY = 2
"""The blocks that are computed at a time; one that is not full waits until it would be alone."""
GATHERING = 0.005
"""How long to wait for others that are on their way, in seconds."""

Ask = Callable[[list[Any]], Sequence[Any]]


@dataclass(eq=False, repr=False, slots=True)
class Work:
    """Up to `ROWS` instances of one request and the future that takes their answers.

    What is `alone` is a block of its own, full as it is.
    """

    key: Hashable
    ask: Ask
    instances: Sequence[Any]
    most: int
    alone: bool
    done: asyncio.Future[Sequence[Any]]


class Batcher:
    """A queue before the threads; `on_block` is told the instances of each block and its seconds.

    `expected` is the number of requests that are being read and will bring work soon. Everything
    but the computing, and the choice of what is next, is done on the event loop.
    """

    def __init__(self, on_block: Callable[[int, float], None] = lambda rows, seconds: None) -> None:
        self.expected = 0
        self._on_block = on_block
        self._threads = ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="tensorflow")
        self._waiting: deque[Work] = deque()
        self._arrived = threading.Condition()
        self._busy = 0
        self._seconds_per_row = 0.05

    @property
    def rows_waiting(self) -> int:
        """The instances that wait."""
        with self._arrived:
            return sum(len(work.instances) for work in self._waiting)

    @property
    def seconds_to_wait(self) -> float:
        """How long what waits now will take, by what the last blocks took."""
        return self.rows_waiting * self._seconds_per_row

    async def ask(
        self,
        key: Hashable,
        ask: Ask,
        instances: Sequence[Any],
        most: int = ROWS,
        *,
        alone: bool = False,
    ) -> list[Any]:
        """Return the answer for each instance; raises what `ask` raised.

        `ask` is called on a thread with instances of this request and, unless it is to be `alone`,
        of others that have the same key, at most `most` of them. Whoever is cancelled leaves the
        queue at once.
        """
        answers: list[Any] = []
        # One part after the other: a long request takes its turns with all others.
        size = min(most, ROWS)
        for first in range(0, len(instances), size):
            answers += await self._queued(key, ask, instances[first : first + size], size, alone)
        return answers

    async def call(self, function: Callable[[], T]) -> T:
        """Return what a function returns that asks TensorFlow, too, such as a load."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    def close(self) -> None:
        """Let the threads end when they have done what they are doing."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _queued(
        self, key: Hashable, ask: Ask, instances: Sequence[Any], most: int, alone: bool
    ) -> Sequence[Any]:
        work = Work(key, ask, instances, most, alone, asyncio.get_running_loop().create_future())
        with self._arrived:
            self._waiting.append(work)
            self._arrived.notify()
            self._begin()
        try:
            return await work.done
        finally:
            with self._arrived:
                if work in self._waiting:  # it was not taken yet
                    self._waiting.remove(work)

    def _begin(self) -> None:
        """Have what waits computed, as far as it is time for it."""
        full = self._next_is_full()
        if not self._waiting or self._busy == UNDER_WAY or (self._busy and not full):
            return
        self._busy += 1
        block = self._take() if full else []
        started = time.perf_counter()

        def compute() -> list[Sequence[Any] | PellucidError]:
            nonlocal started
            if not block:
                block.extend(self._gathered())
            started = time.perf_counter()
            # What is late, or was left by its client, is not computed to the end for nobody.
            with cancelled_when(lambda: all(work.done.cancelled() for work in block)):
                return _answers(block) if block else []

        def computed(future: Future[list[Sequence[Any] | PellucidError]]) -> None:
            # Closed meanwhile, the threads or the loop: nobody waits any more.
            with suppress(RuntimeError), self._arrived:
                self._busy -= 1
                if future.cancelled():
                    return
                if block:
                    seconds = time.perf_counter() - started
                    loop = block[0].done.get_loop()
                    loop.call_soon_threadsafe(self._tell, block, future, seconds)
                self._begin()

        self._threads.submit(compute).add_done_callback(computed)
        self._begin()

    def _gathered(self) -> list[Work]:
        """Return the next block, after a moment for those who are on their way."""
        with self._arrived:
            if self.expected:
                self._arrived.wait_for(self._next_is_full, GATHERING)
            return self._take()

    def _next_is_full(self) -> bool:
        """Whether the next block need not wait for company."""
        if not self._waiting:
            return False
        first = self._waiting[0]
        rows = sum(len(work.instances) for work in self._waiting if work.key == first.key)
        return first.alone or rows >= ROWS

    def _take(self) -> list[Work]:
        """Take the block of the longest waiting: those of the same key that fit in, in order."""
        block: list[Work] = []
        rows, size = 0, ROWS
        for work in list(self._waiting):
            most = min(size, work.most)
            if block and (
                work.key != block[0].key or work.alone or rows + len(work.instances) > most
            ):
                continue
            block.append(work)
            rows, size = rows + len(work.instances), most
            self._waiting.remove(work)
            if work.alone or rows >= size:
                break
        return block

    def _tell(
        self,
        block: Sequence[Work],
        answered: Future[list[Sequence[Any] | PellucidError]],
        seconds: float,
    ) -> None:
        """Hand out the answers of a block, on the event loop."""
        rows = sum(len(work.instances) for work in block)
        self._seconds_per_row += 0.2 * (seconds / rows - self._seconds_per_row)
        self._on_block(rows, seconds)
        error = answered.exception()
        for number, work in enumerate(block):
            if work.done.cancelled():
                continue
            found = error or answered.result()[number]
            if isinstance(found, BaseException):
                work.done.set_exception(found)
            else:
                work.done.set_result(found)


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
