"""Threads that read and write: few jobs for many who ask at once, and each gets its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from pellucid.serve.offload import LARGE, OffloadPool

T = TypeVar("T")


def with_offload(scene: Callable[[OffloadPool], Awaitable[T]]) -> T:
    async def run() -> T:
        offload = OffloadPool()
        try:
            return await scene(offload)
        finally:
            offload.close()

    return asyncio.run(run())


def jobs_of(offload: OffloadPool) -> list[int]:
    """Note how many functions each job has."""
    sizes: list[int] = []
    start = offload._start

    def noted(job: Any, loop: asyncio.AbstractEventLoop) -> None:
        sizes.append(len(job))
        start(job, loop)

    offload._start = noted  # type: ignore[method-assign]
    return sizes


def test_what_is_asked_in_one_turn_is_one_job() -> None:
    async def scene(offload: OffloadPool) -> tuple[list[int], list[int]]:
        sizes = jobs_of(offload)
        found = await asyncio.gather(*(offload.do(10, lambda i=i: 2 * i) for i in range(20)))
        return found, sizes

    assert with_offload(scene) == ([2 * i for i in range(20)], [20])


def test_a_job_that_is_full_does_not_wait() -> None:
    async def scene(offload: OffloadPool) -> tuple[list[int], list[int]]:
        sizes = jobs_of(offload)
        found = await asyncio.gather(*(offload.do(LARGE // 2, lambda i=i: i) for i in range(5)))
        return found, sizes

    assert with_offload(scene) == (list(range(5)), [2, 2, 1])


def test_the_loop_is_free_meanwhile() -> None:
    gate, started = threading.Event(), asyncio.Event()

    async def scene(offload: OffloadPool) -> str:
        loop = asyncio.get_running_loop()

        def job() -> str:
            loop.call_soon_threadsafe(started.set)
            return "done" if gate.wait(60) else "late"

        waiting = asyncio.ensure_future(offload.do(1, job))
        await started.wait()  # the loop hears of it while the job goes on
        assert not waiting.done()
        gate.set()
        return await waiting

    assert with_offload(scene) == "done"


@pytest.mark.parametrize("error", [ValueError("x"), ZeroDivisionError()])
def test_an_error_is_for_whoever_asked(error: Exception) -> None:
    def fail() -> None:
        raise error

    async def scene(offload: OffloadPool) -> list[Any]:
        asked = [offload.do(1, fail if i in (0, 3) else lambda i=i: i) for i in range(6)]
        return await asyncio.gather(*asked, return_exceptions=True)

    assert with_offload(scene) == [error, 1, 2, error, 4, 5]


def test_what_nobody_waits_for_is_not_done() -> None:
    done: list[str] = []

    async def scene(offload: OffloadPool) -> None:
        jobs = [asyncio.ensure_future(offload.do(1, lambda n=n: done.append(n))) for n in "ab"]
        await asyncio.sleep(0)  # both have asked, and the job is not handed over yet
        jobs[0].cancel()
        await asyncio.wait(jobs)

    with_offload(scene)
    assert done == ["b"]
