"""A model that explains blocks: the same code in this process, in others, and on other machines.

Several threads may explain at a time: while one has the device, others decode, segment, draw and
encode. A model answers in whatever thread, and has one device, or a thread for each processor.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pellucid.api import (
    Explanations,
    LoadedModel,
    LoadOptions,
    block_size,
    load_model,
    refuse_means,
)
from pellucid.batch.items import Item, decode
from pellucid.batch.plan import Block
from pellucid.batch.records import Finished, Record, Said
from pellucid.batch.rendering import Wanted, render
from pellucid.batch.truth import Judge, Verdict
from pellucid.errors import (
    FOREIGN,
    InstanceError,
    NotDifferentiableError,
    OutOfMemoryError,
    PredictorError,
    SpecError,
)
from pellucid.explain import Explanation
from pellucid.inputs import Beside, InputInfo, Instance
from pellucid.metadata import Examples
from pellucid.notices import Message, Notice, Warn, Where
from pellucid.runtime.engine import parallel_batches_here

# Photos of all blocks in the works, decoded, have about so many bytes; a JPEG is some 15 times
# smaller than what is in it.
DECODED_BYTES = 2**30
DECODED = 15
# What of the provenance is a setting.
_SETTINGS = ("parameters", "baseline", "seed", "signature", "logits", "columns", "metadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of a model once it is loaded.

    `inputs` are what an instance has to give, and `beside` what it may have beside them; `size` is
    how many are explained at a time; `method` is that of the explanations, in words; `settings` and
    `model`, a fingerprint, are what a run must not change between two commands; `provenance` is how
    its explanations are made; `warnings` came up while it was loaded.
    """

    inputs: tuple[InputInfo, ...]
    beside: Beside = Beside()
    size: int
    model: str
    method: str = ""
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Message, ...] = ()


class StoppedError(Exception):
    """The block was not begun, since the run is to stop."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to load the model in any process, and what to write of its explanations."""

    directory: Path
    options: LoadOptions
    wanted: Wanted

    def load(self) -> Work:
        """Return the model, loaded. Raises what `pellucid.load` raises."""
        warnings: list[Message] = []
        notes: list[Message] = []
        options = replace(self.options, parallel_batches=parallel_batches_here())
        model = load_model(self.directory, options, warnings.append, notes.append)
        return Work(model, self.wanted, warnings, notes)


class Work:
    """A loaded model and what is wanted of it."""

    def __init__(
        self,
        model: LoadedModel,
        wanted: Wanted,
        warnings: Sequence[Message] = (),
        notes: Sequence[Message] = (),
    ) -> None:
        refuse_means(model, "a batch")
        if wanted.table is not None and isinstance(model.parameters.method, Examples):
            what = "nearest examples have no attributions, of which the table would be"
            raise SpecError(what, where=Where(path="write"))
        # A million warnings are none: they are counted, and the errors are in the summary. What is
        # said of pixels comes once, and not in results: those are the same whoever is first.
        pixels = model.pixels.heard_by(self._hears(False), self._hears(True), certain=True)
        self.model = replace(model, warn=lambda sentence: None, pixels=pixels)
        self._said = deque(Said(message=it, warning=False) for it in notes)
        self._told: set[str] = set()
        self.wanted = wanted
        self._judge = None if wanted.truth is None else Judge(wanted.truth, model, self._say)
        self._warnings = tuple(warnings)
        self.stopping = threading.Event()
        self._room = _Room(DECODED_BYTES)
        for explainer in model.explainers:
            if model.parameters.method.uses_gradients:
                _ = explainer.model.differentiable  # what cannot be explained fails here, once

    @cached_property
    def about(self) -> About:
        """What the plan of a run has to know."""
        model, parameters, made = self.model, self.model.parameters, self.model.provenance
        return About(
            inputs=model.inputs,
            beside=model.beside,
            size=block_size(model.inputs, parameters.method),
            model=model.fingerprint,
            method=parameters.method.caption(None),
            provenance=made,
            warnings=self._warnings,
            settings={
                **{key: made[key] for key in _SETTINGS if key in made},
                "overlays": self.wanted.overlays,
                "gallery": self.wanted.gallery,
                "raw": self.wanted.raw,
                "overlayFormat": self.wanted.overlay_format,
                "write": self.wanted.table,
                "truth": None if self.wanted.truth is None else self.wanted.truth.document,
            },
        )

    def run(self, block: Block) -> Finished:
        """Explain a block. Raises ModelError, SpecError, and StoppedError if it was too late.

        Where there is not enough memory, it is explained by halves, and nothing beside it.
        """
        try:
            with self._room.taken(_decoded_bytes(block)):
                records = self._run(block.items)
        except MemoryError:
            records = None
        if records is None:
            with self._room.taken(DECODED_BYTES):
                records = self._halved(block.items)
        first, *others = (records[item.number] for item in block.items)
        return Finished(
            number=block.number, stamp=block.stamp, records=(self._saying(first), *others)
        )

    def _halved(self, items: Sequence[Item]) -> dict[int, Record]:
        """Explain items that are too many for the memory; one alone that is too large is named."""
        if len(items) == 1:
            try:
                return self._run(items)
            except MemoryError as error:
                lone = OutOfMemoryError(where=items[0].where)
                notice = (error if isinstance(error, OutOfMemoryError) else lone).notice
                return {items[0].number: Record.failed(items[0].name, notice)}
        records: dict[int, Record] = {}
        middle = len(items) // 2
        for half in (items[:middle], items[middle:]):
            try:
                found = self._run(half)
            except MemoryError:
                found = {}
            # What was made of the half is let go before its own halves begin.
            records |= found or self._halved(half)
        return records

    def _run(self, items: Sequence[Item]) -> dict[int, Record]:
        """Return the record of each item by its number. Raises MemoryError."""
        if self.stopping.is_set():
            raise StoppedError
        records: dict[int, Record] = {}
        groups: dict[str, list[tuple[Item, Instance]]] = {}
        for item, found in zip(items, self._decoded(items), strict=True):
            if isinstance(found, InstanceError):
                records[item.number] = Record.failed(item.name, found.notice)
                continue
            named = replace(item, id=found.id) if found.id else item
            groups.setdefault(str(item.settings), []).append((named, found))
            self._say_of_table(item)
        if self.stopping.is_set():
            raise StoppedError
        for pairs in groups.values():
            for record, item in self._explained(pairs):
                records[item.number] = record
        return records

    def _decoded(self, items: Sequence[Item]) -> list[Instance | InstanceError]:
        """Return the instance that each item is, or what is wrong with it. Raises MemoryError."""
        try:
            return [*decode(items, self.model.inputs, self.model.beside)]
        except MemoryError:
            raise
        except FOREIGN as error:
            if len(items) > 1:  # the others are read without it
                return [found for item in items for found in self._decoded([item])]
            what = f"cannot be read ({type(error).__name__}: {error})"
            return [InstanceError(what, where=items[0].where)]

    def _say_of_table(self, item: Item) -> None:
        """Say what was found of the columns of a table, at its first row; once for all tables."""
        for notice in item.table.notices if item.table is not None and not item.index else ():
            if notice.what not in self._told:
                self._told.add(notice.what)
                self._said.append(Said(message=notice, warning=False))

    def _say(self, message: Message, warning: bool) -> None:
        self._said.append(Said(message=message, warning=warning))

    def _hears(self, warning: bool) -> Warn:
        return lambda message: self._say(message, warning)

    def _saying(self, record: Record) -> Record:
        """Return a record with what has come up, in whichever block."""
        said = []
        with suppress(IndexError):
            while True:
                said.append(self._said.popleft())
        doubts = {name: {"warning": doubt} for name, doubt in self.model.pixels.doubts.items()}
        pixels = {name: {**record.pixels.get(name, {}), **it} for name, it in doubts.items()}
        return replace(record, said=(*record.said, *said), pixels={**record.pixels, **pixels})

    def _explained(self, pairs: Sequence[tuple[Item, Instance]]) -> Iterator[tuple[Record, Item]]:
        """Yield the record of each instance; settings are those of the first, as of all others."""
        settings = pairs[0][0].settings
        try:
            model = self.model if settings is None else self.model.requested(settings)
        except SpecError as error:
            for item, _ in pairs:
                yield Record.failed(item.name, error.at(file=item.source).notice), item
            return
        for part, found in _isolated(model, pairs):
            items = [item for item, _ in part]
            if isinstance(found, Explanations):
                verdicts = [*map(self._verdict, items, found.instances, found)]
                yield from zip(render(found, items, self.wanted, verdicts), items, strict=True)
            else:
                (item,) = items
                yield Record.failed(item.name, _in_its_file(found, item)), item

    def _verdict(self, item: Item, instance: Instance, explanation: Explanation) -> Verdict | None:
        return None if self._judge is None else self._judge.of(item, instance, explanation)


class _Room:
    """Memory that blocks share: one that is larger than all of it waits until it is alone."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, wanted: int) -> Iterator[None]:
        """Wait for so much of it."""
        share = min(wanted, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= share)
            self._free -= share
        try:
            yield
        finally:
            with self._changed:
                self._free += share
                self._changed.notify_all()


def _decoded_bytes(block: Block) -> int:
    """Guess how much memory the pictures of a block take at their own size."""
    total = 0
    for item in block.items:
        if item.kind == "picture":
            with suppress(OSError):  # it will be said when it is read
                total += item.size if item.size >= 0 else os.stat(item.path).st_size
    return DECODED * total


def _in_its_file(why: Notice, item: Item) -> Notice:
    """Return why an instance failed with its place in its file, not that in the run."""
    if why.where.instance is None:
        return why.at(item.where)
    return replace(why, where=replace(item.where, path=why.where.path))


def _isolated(
    model: LoadedModel, pairs: Sequence[tuple[Item, Instance]]
) -> Iterator[tuple[Sequence[tuple[Item, Instance]], Explanations | Notice]]:
    """Yield parts of a block with their explanations, or one instance and why it has none.

    An instance that the model refuses is taken out, and the others are explained together.
    """
    try:
        yield pairs, model.explain([instance for _, instance in pairs])
    except MemoryError:
        raise
    except (InstanceError, NotDifferentiableError, PredictorError) as error:
        if isinstance(error, PredictorError) and not error.answered:
            raise  # which no instance is to blame for
        if len(pairs) == 1:
            yield pairs, error.notice
            return
        bad = getattr(error, "index", None)
        culprit = [pair for pair in pairs if pair[1].index == bad]
        if culprit:
            yield culprit, error.notice
            yield from _isolated(model, [pair for pair in pairs if pair[1].index != bad])
            return
        middle = len(pairs) // 2
        for half in (pairs[:middle], pairs[middle:]):
            yield from _isolated(model, half)
