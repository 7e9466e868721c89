"""What explains blocks: threads of this process, other processes, or a cluster.

All are an iterator of blocks in, and of finished blocks out, in whatever order; what happens to an
instance is the same in all of them.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TypeAlias

from pellucid.batch.plan import Block
from pellucid.batch.records import Finished
from pellucid.batch.worker import About, StoppedError, Work
from pellucid.runtime.engine import cores

Explain: TypeAlias = Callable[[Iterable[Block]], Iterator[Finished]]


MANY_OBJECTS = 100_000
"""So many objects are made before the garbage collector looks through them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A model that is loaded somewhere; when asked to stop, it begins no further block.

    `blocks` are as many as can be in the works at a time; `here` tells that they are so in this
    process, which an input may kill.
    """

    about: About
    explain: Explain
    blocks: int = 1
    here: bool = False


@contextmanager
def spared() -> Iterator[None]:
    """Have the garbage collector pass over all that is loaded, which stays as long as the run.

    A model has some hundred thousand objects; looking through them again and again took a third of
    the time of a long table. Rows of a table make many objects, too, and hardly any cycles: it
    looks through these more rarely than it would.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(MANY_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def threads_for(processors: int) -> int:
    """How many blocks are in the works at a time.

    One has the device; others are decoded, cut into regions, drawn and encoded meanwhile.
    """
    return max(3, min(8, processors // 2 + 2))


@contextmanager
def in_threads(work: Work, stop: Event, threads: int | None = None) -> Iterator[Engine]:
    """Explain with a model that is loaded; `threads` blocks are in the works at a time."""
    work.stopping = stop
    width = threads or threads_for(cores())
    pool = ThreadPoolExecutor(width, "pellucid-batch")

    def explain(blocks: Iterable[Block]) -> Iterator[Finished]:
        waiting: deque[Future[Finished]] = deque()
        for block in blocks:
            waiting.append(pool.submit(work.run, block))
            if len(waiting) > width:
                yield from _result(waiting.popleft())
        while waiting:
            yield from _result(waiting.popleft())

    try:
        yield Engine(about=work.about, explain=explain, blocks=width, here=True)
    finally:
        # What is not begun is not needed any more, and nobody waits for what is.
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _result(future: Future[Finished]) -> Iterator[Finished]:
    try:
        yield future.result()
    except StoppedError:
        return
