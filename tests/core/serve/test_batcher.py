"""The device: what waits together is computed together, and what fails alone fails alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import pytest

from pellucid.errors import InstanceError
from pellucid.serve.batcher import ROWS, UNDER_WAY, Batcher

T = TypeVar("T")


class Doubler:
    """Doubles numbers and notes the blocks; the first block waits for the gate."""

    def __init__(self) -> None:
        self.blocks: list[list[int]] = []
        self.threads: set[int] = set()
        self.started = threading.Event()
        self.gate = threading.Event()

    def __call__(self, numbers: list[int]) -> Sequence[int]:
        self.started.set()
        assert self.gate.wait(60)
        self.threads.add(threading.get_ident())
        self.blocks.append(numbers)
        if -1 in numbers:
            raise InstanceError("minus one", numbers.index(-1))
        if -2 in numbers:
            raise ZeroDivisionError
        return [2 * number for number in numbers]


def on_device(scene: Callable[[Batcher], Awaitable[T]]) -> T:
    async def run() -> T:
        batcher = Batcher()
        try:
            return await scene(batcher)
        finally:
            batcher.close()

    return asyncio.run(run())


async def held(batcher: Batcher, double: Doubler) -> asyncio.Task[list[Any]]:
    """Ask for a first block, which keeps the batcher busy until the gate is opened."""
    first = asyncio.create_task(batcher.ask("first", double, [0]))
    await asyncio.get_running_loop().run_in_executor(None, double.started.wait, 60)
    return first


async def asked(
    batcher: Batcher, ask: Callable[[list[int]], Sequence[int]], key: str, *blocks: list[int]
) -> list[asyncio.Task[list[Any]]]:
    """Ask for several at once, which have all arrived when this returns: in one turn of the loop."""
    jobs = [asyncio.create_task(batcher.ask(key, ask, numbers)) for numbers in blocks]
    await asyncio.sleep(0)
    return jobs


async def gathered(
    batcher: Batcher, double: Doubler, *requests: tuple[str, list[int]]
) -> list[Any]:
    """Ask all at once, behind a block that holds the batcher until all of them wait."""
    first = await held(batcher, double)
    jobs = [job for key, numbers in requests for job in await asked(batcher, double, key, numbers)]
    double.gate.set()
    answers = await asyncio.gather(*jobs, return_exceptions=True)
    await first
    return answers


def test_what_has_the_same_key_is_one_block_and_each_gets_its_own() -> None:
    double = Doubler()
    answers = on_device(
        lambda batcher: gathered(batcher, double, ("a", [1, 2]), ("b", [3]), ("a", [4]))
    )
    assert answers == [[2, 4], [6], [8]]
    assert double.blocks == [[0], [1, 2, 4], [3]]
    assert len(double.threads) <= UNDER_WAY and threading.get_ident() not in double.threads


def test_a_failure_costs_the_neighbours_nothing() -> None:
    double = Doubler()
    requests = [("a", [number]) for number in (1, -1, 3, 4)]
    one, bad, three, four = on_device(lambda batcher: gathered(batcher, double, *requests))
    assert (one, three, four) == ([2], [6], [8])
    assert isinstance(bad, InstanceError) and bad.index == 0


def test_what_nobody_expects_reaches_whoever_asked_and_the_work_goes_on() -> None:
    double = Doubler()
    bad, good = on_device(lambda batcher: gathered(batcher, double, ("a", [-2]), ("b", [5])))
    assert isinstance(bad, ZeroDivisionError) and good == [10]


def test_a_long_request_takes_turns_with_the_others() -> None:
    double = Doubler()
    long = list(range(3 * ROWS))
    first, second = on_device(lambda batcher: gathered(batcher, double, ("a", long), ("b", [7])))
    assert first == [2 * number for number in long] and second == [14]
    # The first part is full, so that it begins beside the first block; then it is the other's turn,
    # beside which the second part may be begun.
    assert sorted(map(len, double.blocks[:2])) == [1, ROWS]
    assert sorted(map(len, double.blocks[2:4])) == [1, ROWS]
    assert len(double.blocks[4]) == ROWS


def test_no_more_blocks_are_under_way_than_two_and_a_second_only_if_it_is_full() -> None:
    double = Doubler()
    most, running = 0, 0
    changed = threading.Condition()

    def counted(numbers: list[int]) -> Sequence[int]:
        nonlocal most, running
        with changed:
            running += 1
            most = max(most, running)
            changed.notify_all()
        answers = double(numbers)
        with changed:
            running -= 1
        return answers

    def beside() -> bool:
        with changed:
            return changed.wait_for(lambda: running == 2, 60)

    async def scene(batcher: Batcher) -> None:
        first = asyncio.create_task(batcher.ask("first", counted, [0]))
        await asyncio.get_running_loop().run_in_executor(None, double.started.wait, 60)
        jobs = await asked(batcher, counted, "a", *([n] for n in range(ROWS - 1)))
        assert batcher.rows_waiting == ROWS - 1
        jobs += await asked(batcher, counted, "a", *([n] for n in range(2 * ROWS)))
        assert batcher.rows_waiting == 2 * ROWS - 1  # one block has left, and is full
        assert await asyncio.get_running_loop().run_in_executor(None, beside)
        double.gate.set()
        await asyncio.gather(first, *jobs)

    on_device(scene)
    assert most == UNDER_WAY == 2
    assert all(len(block) <= ROWS for block in double.blocks)


def test_what_is_to_be_alone_is_so_and_waits_for_no_other() -> None:
    both, running = threading.Barrier(UNDER_WAY), []

    def together(numbers: list[int]) -> Sequence[int]:
        running.append(numbers)
        both.wait(60)  # until the other is computed, too
        return numbers

    async def scene(batcher: Batcher) -> list[list[Any]]:
        jobs = [asyncio.create_task(batcher.ask("a", together, [n], alone=True)) for n in (1, 2)]
        return [await job for job in jobs]

    assert on_device(scene) == [[1], [2]]
    assert sorted(running) == [[1], [2]]


def test_no_more_are_computed_together_than_fit_into_memory() -> None:
    double = Doubler()

    async def scene(batcher: Batcher) -> list[int]:
        first = await held(batcher, double)
        jobs = [asyncio.create_task(batcher.ask("a", double, [n, n], most=3)) for n in (1, 2)]
        await asyncio.sleep(0)
        assert batcher.rows_waiting == 4
        double.gate.set()
        return await first + await jobs[0] + await jobs[1]

    assert on_device(scene) == [0, 2, 2, 4, 4]
    assert double.blocks == [[0], [1, 1], [2, 2]]


def test_who_is_cancelled_leaves_the_queue_at_once() -> None:
    double = Doubler()

    async def scene(batcher: Batcher) -> list[Any]:
        first = await held(batcher, double)
        jobs = await asked(batcher, double, "a", [1], [2])
        assert batcher.rows_waiting == 2
        jobs[0].cancel()
        await asyncio.sleep(0)
        assert batcher.rows_waiting == 1
        double.gate.set()
        return [await first, await jobs[1]]

    assert on_device(scene) == [[0], [4]]
    assert double.blocks == [[0], [2]]


def test_a_function_runs_on_a_thread_of_the_device() -> None:
    double = Doubler()
    double.gate.set()

    async def scene(batcher: Batcher) -> int:
        await batcher.ask("a", double, [1])
        return await batcher.call(threading.get_ident)

    assert on_device(scene) != threading.get_ident()


@pytest.mark.parametrize("count", [1, ROWS, ROWS + 1])
def test_the_answers_are_in_the_order_of_the_instances(count: int) -> None:
    double = Doubler()
    double.gate.set()
    numbers = list(range(count))
    assert on_device(lambda batcher: batcher.ask("a", double, numbers)) == [2 * n for n in numbers]
