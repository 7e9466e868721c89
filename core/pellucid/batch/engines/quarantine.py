"""Inputs that kill the process that explains them, or keep it: found, left out, and named.

A block whose worker died is tried again. If that one dies as well, each of its inputs is tried
alone; those whose worker dies twice are the reason, and the others are explained together, as they
would have been. So a worker that dies for another reason costs time and nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal

from pellucid.batch.items import Item
from pellucid.batch.plan import Block
from pellucid.batch.records import Finished, Record
from pellucid.notices import Hint, Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A block to be explained, whole or in part; `part` is what of it to explain now.

    One that has lost a worker before is to be `alone` in the next.
    """

    block: Block
    part: Block
    purpose: Literal["whole", "probe", "rest"] = "whole"
    alone: bool = False


@dataclass(slots=True)
class _Suspect:
    """A block whose inputs are tried one by one; of the `killers`, why they are left out."""

    waiting: set[int]
    alone: dict[int, Record] = field(default_factory=dict)
    killers: dict[int, Notice] = field(default_factory=dict)


class Quarantine:
    """Says what to do next with a block whose worker died; `patience` is how often it may.

    `timeout` is how many seconds an input may take, if there is a limit.
    """

    def __init__(self, patience: int = 2, *, timeout: float | None = None) -> None:
        self._patience, self._timeout = patience, timeout
        self._deaths: Counter[tuple[str, int]] = Counter()
        self._suspects: dict[int, _Suspect] = {}

    def lost(self, task: Task, *, late: bool = False) -> tuple[list[Task], Finished | None]:
        """A worker died with this task: return what to try next, or how the block ended.

        One that was killed since it was `late` would be late again, and is not tried again as it
        is.
        """
        number = task.part.items[0].number
        self._deaths[task.purpose, number] += 1
        if not late and self._deaths[task.purpose, number] < self._patience:
            return [replace(task, alone=True)], None
        if task.purpose == "whole":
            items = task.block.items
            if len(items) == 1:
                return [], _joined(task.block, {}, {number: self._why(late)})
            self._suspects[task.block.number] = _Suspect({item.number for item in items})
            return [_part(task, (item,), "probe") for item in items], None
        suspect = self._suspects[task.block.number]
        if task.purpose == "probe":
            suspect.killers[number] = self._why(late)
            return self._probed(task, number)
        # Together they are too much for a worker; alone they were not.
        del self._suspects[task.block.number]
        return [], _joined(task.block, suspect.alone, suspect.killers)

    def _why(self, late: bool) -> Notice:
        if not late:
            return Notice("the process that explains it dies each time")
        hint = Hint("give it longer with {timeout}")
        return Notice(f"was not explained within {self._timeout:g} s", hint=hint)

    def finished(self, task: Task, found: Finished) -> tuple[list[Task], Finished | None]:
        """A task is done: return what to do next, or how the block ended."""
        if task.purpose == "whole":
            return [], found
        suspect = self._suspects[task.block.number]
        if task.purpose == "probe":
            number = task.part.items[0].number
            suspect.alone[number] = found.records[0]
            return self._probed(task, number)
        del self._suspects[task.block.number]
        pairs = zip(task.part.items, found.records, strict=True)
        records = {item.number: record for item, record in pairs}
        return [], _joined(task.block, records, suspect.killers)

    def _probed(self, task: Task, number: int) -> tuple[list[Task], Finished | None]:
        suspect = self._suspects[task.block.number]
        suspect.waiting.discard(number)
        if suspect.waiting:
            return [], None
        rest = tuple(it for it in task.block.items if it.number not in suspect.killers)
        if rest:
            return [_part(task, rest, "rest")], None
        del self._suspects[task.block.number]
        return [], _joined(task.block, {}, suspect.killers)


def _part(task: Task, items: tuple[Item, ...], purpose: Literal["probe", "rest"]) -> Task:
    part = replace(task.block, items=items)
    return Task(block=task.block, part=part, purpose=purpose, alone=True)


def _joined(block: Block, records: dict[int, Record], killers: dict[int, Notice]) -> Finished:
    """Return the finished block: what was explained, and who was left out."""
    joined = []
    for item in block.items:
        if item.number in killers:
            joined.append(Record.failed(item.name, killers[item.number].at(item.where)))
        else:
            joined.append(records[item.number])
    return Finished(number=block.number, stamp=block.stamp, records=tuple(joined))
