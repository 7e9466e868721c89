"""Which input killed the worker: found by trying, whoever else was in the block."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pellucid.batch import Finished, Record
from pellucid.batch.engines.quarantine import Quarantine, Task
from pellucid.batch.items import Item
from pellucid.batch.plan import Block


def block(count: int) -> Block:
    items = tuple(
        Item(number=i, source=f"{i}.png", path=f"/{i}.png", place=f"{i}.png", kind="picture")
        for i in range(10, 10 + count)
    )
    return Block(number=3, items=items, stamp="s")


def ended(block: Block, dies: Callable[[Task], bool], patience: int = 2) -> tuple[Finished, int]:
    """How the block ends, and how many workers it costs."""
    quarantine = Quarantine(patience)
    tasks, deaths = [Task(block=block, part=block)], 0
    while True:
        task = tasks.pop(0)
        if dies(task):
            deaths += 1
            more, finished = quarantine.lost(task)
        else:
            together = ",".join(str(item.number) for item in task.part.items)
            records = [Record(name=it.name, result=together.encode()) for it in task.part.items]
            found = Finished(number=3, stamp="s", records=tuple(records))
            more, finished = quarantine.finished(task, found)
        if finished is not None:
            assert not tasks and not more
            return finished, deaths
        tasks += more


def holds(*numbers: int) -> Callable[[Task], bool]:
    return lambda task: any(item.number in numbers for item in task.part.items)


def test_a_worker_that_dies_by_chance_costs_nothing_but_time() -> None:
    left = [True]
    finished, deaths = ended(block(3), lambda task: bool(left and left.pop()))
    assert deaths == 1 and [it.result for it in finished.records] == [b"10,11,12"] * 3


@pytest.mark.parametrize("killers", [(11,), (10, 12), (10, 11, 12, 13)])
def test_killers_are_named_and_the_others_are_explained_together(killers: tuple[int, ...]) -> None:
    finished, deaths = ended(block(4), holds(*killers))
    assert deaths == 2 + 2 * len(killers)
    rest = ",".join(str(n) for n in range(10, 14) if n not in killers).encode()
    for number, record in enumerate(finished.records, 10):
        if number in killers:
            said = f"{number}.png: the process that explains it dies each time"
            assert str(record.error) == said
            assert record.result is None
        else:
            assert record.error is None and record.result == rest
    assert (finished.number, finished.stamp) == (3, "s")


def test_a_block_of_one_needs_no_trial() -> None:
    finished, deaths = ended(block(1), lambda task: True)
    assert deaths == 2 and finished.failed == 1


def test_inputs_that_are_too_much_only_together_are_explained_alone() -> None:
    finished, _ = ended(block(3), lambda task: len(task.part.items) > 2)
    assert [it.result for it in finished.records] == [b"10", b"11", b"12"]


def test_a_scheduler_that_has_tried_already_is_believed() -> None:
    finished, deaths = ended(block(4), holds(11), patience=1)
    assert deaths == 2 and finished.failed == 1
