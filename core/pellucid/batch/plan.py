"""What a run will do, written down before it begins: its inputs, and where blocks are cut.

The names of the inputs are found once and kept in a file. A block is a fixed stretch of them,
whatever comes between: a run that was broken off, or spread over workers, explains the same
instances together, and so finds the same numbers to the last bit.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import numpy as np

from pellucid.batch.items import Item, count_of, items_of
from pellucid.errors import InstanceError
from pellucid.files import shown
from pellucid.inputs import Beside, InputInfo
from pellucid.inputs.found import Input, Inputs
from pellucid.model import Array
from pellucid.notices import Notice, Where
from pellucid.visualize import is_drawn

SHARD = 10_000
"""How many instances one file of results has, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which of the inputs to explain: a random sample, in their order, and the first of those.

    `places` names them one by one instead.
    """

    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    places: tuple[int, ...] | None = None

    def of(self, total: int) -> Array:
        """Return the places of the inputs that are explained, ascending, [n]."""
        if self.places is not None:
            return np.array(self.places, np.int64)
        chosen: Array = np.arange(total)
        if self.sample is not None and self.sample < total:
            random = np.random.default_rng(self.seed)
            chosen = np.sort(random.choice(total, self.sample, replace=False, shuffle=False))
        return chosen[: self.limit]


@dataclass(frozen=True, slots=True)
class Part:
    """The share of a run that one folder has: every `of`-th block, from the `number`-th, from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Inputs that are explained together; `stamp` changes when one of their files does.

    A `suspect` was in the works when an earlier process died.
    """

    number: int
    items: tuple[Item, ...]
    stamp: str = ""
    suspect: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The inputs of a run and how they are cut.

    `listing` is the file that names them, `root` the directory that their places are below, `total`
    how many there are, `size` how many a block has; `names` and `contents` are digests of what is
    named and of what tells that files have changed.
    """

    listing: Path
    root: str
    total: int
    names: str
    contents: str
    size: int
    selection: Selection = Selection()
    part: Part | None = None

    @cached_property
    def chosen(self) -> int:
        """How many inputs are explained."""
        return len(self.selection.of(self.total))

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.chosen // self.size)

    @property
    def own(self) -> range:
        """The blocks that are explained here: all of them, or those of the part."""
        if self.part is None:
            return range(self.blocks)
        return range(self.part.number - 1, self.blocks, self.part.of)

    @cached_property
    def owned(self) -> int:
        """How many inputs are in the blocks that are explained here."""
        return sum(min(self.size, self.chosen - number * self.size) for number in self.own)

    @property
    def shards(self) -> int:
        """How many files of results there are."""
        return max(1, -(-self.blocks // self._blocks_per_shard))

    def shard(self, number: int) -> range:
        """Return the blocks whose results are in one file."""
        first = number * self._blocks_per_shard
        return range(first, min(first + self._blocks_per_shard, self.blocks))

    def shard_of(self, block: int) -> int:
        """Return the number of the file that the results of a block are in."""
        return block // self._blocks_per_shard

    @property
    def _blocks_per_shard(self) -> int:
        return max(1, SHARD // self.size)

    def cut(self, inputs: Sequence[InputInfo], beside: Beside = Beside()) -> Iterator[Block]:
        """Yield the blocks in order."""
        number, items, stamps = 0, list[Item](), list[str]()
        wanted = iter(self.selection.of(self.total).tolist())
        place = next(wanted, None)
        first = 0
        for given, count in read_listing(self.listing):
            if place is None:
                break
            if place >= first + count:
                first += count
                continue
            stamp = _stamp(given)
            found = items_of(given, self.root, inputs, first, beside)
            for item in _exactly(found, given, count, first):
                if item.number != place:
                    continue
                drawn = is_drawn(item.number, self.chosen)
                items.append(replace(item, drawn=True) if drawn else item)
                stamps.append(stamp)
                place = next(wanted, None)
                if len(items) == self.size or place is None:
                    yield Block(number=number, items=tuple(items), stamp=_digest_of(stamps))
                    number, items, stamps = number + 1, [], []
                if place is None:
                    break
            first += count


def write_listing(
    path: Path,
    given: Inputs,
    root: str,
    inputs: Sequence[InputInfo],
    beside: Beside = Beside(),
) -> tuple[int, str, str]:
    """Write the names of all inputs to a file; return how many there are, and two digests.

    The digests are of the names and the number of instances in each, and of the files' sizes and
    times. Raises InstanceError where there is nothing to explain, OSError.
    """
    total, names, contents = 0, hashlib.sha256(), hashlib.sha256()
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        for it in given:
            count = count_of(it, root, inputs, beside)
            row = [it.path, it.size, it.modified, count, it.problem, it.source]
            file.write(json.dumps(row) + "\n")
            names.update(json.dumps([it.source or it.path, count]).encode())
            contents.update(_stamp(it).encode())
            total += count
    if not total:
        raise InstanceError("there are no inputs", hint="name files, directories or patterns")
    return total, names.hexdigest(), contents.hexdigest()


def read_listing(path: Path) -> Iterator[tuple[Input, int]]:
    """Yield the inputs that were written, and the number of instances in each."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            name, size, modified, count, problem, source = json.loads(line)
            given = Input(path=name, size=size, modified=modified, problem=problem, source=source)
            yield given, count


def first_difference(before: Path, after: Path) -> str:
    """Say where two lists of inputs begin to differ."""
    for number, (a, b) in enumerate(zip_longest(read_listing(before), read_listing(after)), 1):
        was, now = (None if it is None else shown(it[0].source or it[0].path) for it in (a, b))
        if was != now:
            if was is None:
                return f"file {number:,} is {now}, and there was none"
            return f"file {number:,} is {now or 'missing'}, and was {was}"
        if a is not None and b is not None and a[1] != b[1]:
            return f"{now} holds {b[1]:,} instances, and held {a[1]:,}"
    return "the same files have changed"


def _exactly(items: Iterator[Item], given: Input, count: int, first: int) -> Iterator[Item]:
    """Yield as many items as were counted, whatever has become of the file since."""
    last = None
    for number, item in zip(range(first, first + count), items, strict=False):
        last = number
        yield item
    source = given.source or shown(given.path)
    for number in range(first if last is None else last + 1, first + count):
        failed = Notice("has become shorter since its instances were counted", Where(file=source))
        yield Item(
            number=number, source=source, path=os.path.abspath(given.path), place=source,
            kind="failed", content=failed,
        )  # fmt: skip


def _stamp(given: Input) -> str:
    return f"{given.source or given.path!a} {given.size} {given.modified}\n"


def _digest_of(stamps: Sequence[str]) -> str:
    return hashlib.sha256("".join(dict.fromkeys(stamps)).encode()).hexdigest()[:32]
