"""A run from beginning to end, or on from where an earlier one was broken off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import perf_counter
from typing import Protocol, TypeAlias

from pellucid.batch.engines.threads import Engine, spared
from pellucid.batch.estimate import Estimate, estimate
from pellucid.batch.finish import finish
from pellucid.batch.output_folder import Folder
from pellucid.batch.plan import Block, Part, Plan, Selection, write_listing
from pellucid.batch.records import Finished
from pellucid.batch.rendering import Wanted
from pellucid.batch.resume import done_blocks, plan_document, refuse_changes
from pellucid.batch.worker import About
from pellucid.errors import OutputError
from pellucid.inputs import takes_texts
from pellucid.inputs.found import Inputs, root_of
from pellucid.notices import Message, Notice, Where, Words, python_words
from pellucid.remote import address_of
from pellucid.responses import check_form

Opened: TypeAlias = AbstractContextManager[Engine]


class Watcher(Protocol):
    """Who is told how a run goes."""

    def warns(self, message: Message) -> None:
        """Something is worth knowing."""
        ...

    def notes(self, message: Message) -> None:
        """Something was assumed."""
        ...

    def begins(self, total: int, done: int, failed: int) -> None:
        """`total` inputs are explained; of them, `done` are already, and `failed` among those."""
        ...

    def finishes(self, finished: Finished) -> None:
        """A block is written."""
        ...


@dataclass(slots=True)
class Outcome:
    """How far a run has come: `done` of `total` inputs, `failed` among them, `fresh` this time.

    `stopped` says why it ended before all were done: ``interrupted`` or ``too many failures``;
    `said` is what the run as a whole says, in sentences.
    """

    total: int = 0
    done: int = 0
    failed: int = 0
    fresh: int = 0
    stopped: str | None = None
    said: list[str] = field(default_factory=list)

    @property
    def explained(self) -> int:
        """How many inputs have an explanation."""
        return self.done - self.failed


@dataclass(slots=True)
class Works:
    """How many blocks were begun, and how many of them are written."""

    begun: int = 0
    written: int = 0

    @property
    def busy(self) -> bool:
        """Whether blocks are in the works, which would be lost."""
        return self.begun > self.written


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run to be: what to explain, where to write, and when to give up.

    `named` are files, directories and patterns, `listed` files of a list, `standard` the file that
    stdin is in; `size` is how many instances are explained together, by default as many as suit the
    model. With a `shard`, only that share of the blocks is explained, and `merge` puts all parts
    together. When more than `max_errors` inputs have failed, or `stop` is set, the run ends after
    the blocks in flight, of which `works` tells. `force` starts over; `words` are those in which
    settings are advised.
    """

    named: Sequence[str]
    out: Path
    listed: Callable[[], Iterable[str]] = tuple
    standard: str | None = None
    selection: Selection = Selection()
    shard: Part | None = None
    size: int | None = None
    max_errors: int | None = None
    force: bool = False
    wanted: Wanted = Wanted(out="")
    words: Words = python_words
    stop: Event = field(default_factory=Event)
    works: Works = field(default_factory=Works)

    def carry_out(self, opened: Opened, watcher: Watcher | None = None) -> Outcome:
        """Explain what is not explained yet, with a model that is opened for it.

        Raises OutputError, DependencyError, and what loading a model does.
        """
        if self.wanted.table is not None:
            check_form(self.wanted.table)
        folder = Folder(self.out, self.words)
        folder.check(force=self.force)
        folder.check_free()
        self._given.check()
        outcome = Outcome()
        with opened as engine:
            try:
                with folder.claimed(), spared():
                    self._in(folder, engine, outcome, watcher)
            except OSError as error:
                raise OutputError(
                    f"cannot be written: {error.strerror or error}",
                    where=Where(file=str(error.filename or self.out)),
                    hint=_goes_on(outcome),
                ) from error
            except OutputError as error:
                if error.hint:
                    raise
                raise OutputError(error.what, where=error.where, hint=_goes_on(outcome)) from error
        return outcome

    def estimated(self, opened: Opened) -> Estimate:
        """Say what the run would be, and write nothing."""
        Folder(self.out).check(force=self.force)
        self._given.check()
        with opened as engine, TemporaryDirectory(prefix="pellucid-") as directory:
            given = replace(self._given, texts=takes_texts(engine.about.inputs))
            plan = self._plan(Path(directory) / "inputs.jsonl.gz", engine.about, given)
            return estimate(plan, engine, Folder(self.out).path)

    @property
    def _given(self) -> Inputs:
        return Inputs(
            named=self.named,
            listed=self.listed(),
            standard=self.standard,
            avoided=address_of(self.out, OutputError) or os.path.realpath(self.out),
            truth=None if self.wanted.truth is None else self.wanted.truth.file,
        )

    def _in(
        self, folder: Folder, engine: Engine, outcome: Outcome, watcher: Watcher | None
    ) -> None:
        clock = perf_counter()
        if watcher is not None:
            for message in engine.about.warnings:
                watcher.warns(message)
        given = replace(self._given, texts=takes_texts(engine.about.inputs))
        plan, changed = self._planned(folder, engine, given)
        if watcher is not None and given.notice is not None:
            watcher.notes(given.notice)
        outcome.total = plan.owned
        if summary := ({} if folder.plan() else folder.summary()):
            outcome.failed = summary["failed"]
            outcome.done = summary["explained"] + outcome.failed
            return
        document = plan_document(plan, engine.about, self.wanted)
        done = done_blocks(folder, plan, engine.about, changed=changed)
        folder.begin(document)
        outcome.done = sum(map(sum, done.values()))
        outcome.failed = sum(failed for _, failed in done.values())
        if watcher is not None:
            watcher.begins(plan.owned, outcome.done, outcome.failed)
        missing = [len(set(plan.shard(it)) - done.keys()) for it in range(plan.shards)]
        for shard in range(plan.shards):
            _assemble(folder, plan, shard, missing)
        told: set[str] = set()
        if not self._ends(outcome):
            suspects = self._suspects(folder, set(done), watcher)
            for finished in engine.explain(self._to_do(folder, plan, engine, set(done), suspects)):
                now = perf_counter()
                finished = folder.commit(finished, now - clock)
                clock = now
                self.works.written += 1
                missing[plan.shard_of(finished.number)] -= 1
                _assemble(folder, plan, plan.shard_of(finished.number), missing)
                outcome.done += len(finished.records)
                outcome.fresh += len(finished.records)
                outcome.failed += finished.failed
                if watcher is not None:
                    _tell(watcher, finished, told)
                    watcher.finishes(finished)
                if self._ends(outcome):
                    self.stop.set()
        self.works.written = self.works.begun  # what was begun and is not written never will be
        if outcome.done < plan.owned:
            outcome.stopped = outcome.stopped or "interrupted"
        elif outcome.stopped is None and plan.part is None:
            outcome.said = finish(folder, plan, document, self.wanted, engine.about.method)

    def _planned(self, folder: Folder, engine: Engine, given: Inputs) -> tuple[Plan, bool]:
        """Return the plan, and whether files have changed since the run was broken off."""
        path = folder.state / "tmp" / folder.listing.name
        plan = self._plan(path, engine.about, given)
        after = plan_document(plan, engine.about, self.wanted)
        before = folder.plan() or folder.summary().get("plan", {})
        if self.force:
            folder.clear()
            before = {}
        elif before:
            refuse_changes(folder, before, after, plan)
        if not folder.plan():
            folder.forget_all()
        folder.take(path)
        changed = bool(before) and before["inputs"] != after["inputs"]
        return replace(plan, listing=folder.listing), changed

    def _plan(self, listing: Path, about: About, given: Inputs) -> Plan:
        root = root_of([it for it in self.named if it != "-"], self.listed())
        total, names, contents = write_listing(listing, given, root, about.inputs, about.beside)
        return Plan(
            listing=listing,
            root=root,
            total=total,
            names=names,
            contents=contents,
            size=self.size or about.size,
            selection=self.selection,
            part=self.shard,
        )

    def _suspects(self, folder: Folder, done: set[int], watcher: Watcher | None) -> set[int]:
        """Return the blocks that may have killed an earlier process, and say that there are."""
        suspects = folder.begun() - done
        if suspects and watcher is not None:
            count = f"{len(suspects)} block{'s' * (len(suspects) > 1)}"
            what = f"an earlier run ended with {count} in the works; another process tries them"
            watcher.warns(Notice(what))
        return suspects

    def _to_do(
        self, folder: Folder, plan: Plan, engine: Engine, done: set[int], suspects: set[int]
    ) -> Iterator[Block]:
        for block in plan.cut(engine.about.inputs, engine.about.beside):
            if self.stop.is_set():
                return
            if block.number in plan.own and block.number not in done:
                self.works.begun += 1
                if engine.here:
                    folder.begin_block(block.number)
                yield replace(block, suspect=block.number in suspects)

    def _ends(self, outcome: Outcome) -> bool:
        if self.max_errors is not None and outcome.failed > self.max_errors:
            outcome.stopped = "too many failures"
        return outcome.stopped is not None


def _goes_on(outcome: Outcome) -> str:
    """Return what is done of a run that cannot write any more, "" before it has begun."""
    if not outcome.total:
        return ""
    done = f"{outcome.done:,} of {outcome.total:,} inputs are done"
    return f"{done}, and the same command goes on from there"


def _tell(watcher: Watcher, finished: Finished, told: set[str]) -> None:
    """Say what came up in a block, unless another process has said it already."""
    for said in (it for record in finished.records for it in record.said):
        if str(said.message) not in told:
            told.add(str(said.message))
            (watcher.warns if said.warning else watcher.notes)(said.message)


def _assemble(folder: Folder, plan: Plan, shard: int, missing: list[int]) -> None:
    path = folder.results(shard, plan.shards)
    if plan.part is None and not missing[shard] and not path.exists():
        folder.assemble(path, plan.shard(shard))
