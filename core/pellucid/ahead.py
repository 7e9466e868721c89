"""Blocks of rows asked of a model in turn: the next is made while the answer to others is awaited.

A model in this process is busy while it is asked, and takes one question at a time. One that asks
elsewhere waits, and says with `at_a_time` how many it takes.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from pellucid.cancellation import cancelled_when

Block = TypeVar("Block")
Found = TypeVar("Found")


def at_a_time(model: object) -> int:
    """Return how many questions a model takes at a time: 1, unless it says otherwise."""
    count: int = getattr(model, "at_a_time", 1)
    return count


def in_turn(ask: Callable[[Block], Found], blocks: Iterator[Block], count: int) -> Iterator[Found]:
    """Yield what `ask` answers to each block, in order; `count` blocks are asked at a time.

    When a block is made, that which came `count` before it has been answered: its memory may be
    used again. What one of them raises ends the others, too.
    """
    if count == 1:
        yield from map(ask, blocks)
        return
    left = threading.Event()

    def asked(block: Block) -> Found:
        with cancelled_when(left.is_set):
            return ask(block)

    waiting = deque[Future[Found]]()
    with ThreadPoolExecutor(count, thread_name_prefix="ahead") as threads:
        try:
            for block in blocks:
                waiting.append(threads.submit(copy_context().run, asked, block))
                if len(waiting) == count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            left.set()
            for future in waiting:
                future.cancel()
