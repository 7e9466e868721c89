"""The folder that a run writes, such that it can be broken off at any moment and taken up again.

While a run is not complete, ``.batch/`` keeps its plan and, for each block that is, its results and
a record. A file is written there under another name, synced, and then renamed; the record comes
last, when what it speaks of would survive a power cut, and what has none is done again. Blocks are
put together, in order, into files of results; when all are there, the summary is written and
``.batch/`` removed.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, get_args

import orjson

from pellucid.batch.elsewhere import store_of
from pellucid.batch.records import Finished, Record
from pellucid.batch.summary import Summary
from pellucid.errors import OutputError
from pellucid.files import (
    Writer,
    create,
    expect,
    make_folder,
    put_in_place,
    read_bytes,
    remove,
    remove_tree,
    sync_folder,
)
from pellucid.inputs.found import TREES
from pellucid.notices import Hint, Notice, Where, Words, python_words
from pellucid.responses import TableForm, encode

ERRORS, SUMMARY, PAGE, TABLE = "errors.jsonl", "summary.json", "index.html", "table"
# What is wrong with the name of one file; all else is refused by the folder.
_OF_A_NAME = {
    getattr(errno, name)
    for name in ("ENAMETOOLONG", "ENOTDIR", "EISDIR", "EEXIST", "ELOOP", "EINVAL", "EILSEQ")
}
# The forms of what is read back, for `pellucid.files.expect`.
_SUMMARY = {"plan": {"format": object}, "explained": int, "failed": int}
_SHOWN = {
    "overlay?": (str, None),
    "original?": (str, None),
    "thumbnail?": (str, None),
    "label?": (str, None),
    "score?": (float, None),
    "approx_error?": (float, None),
    "truth?": (str, None),
    "predicted?": (str, None),
    "brief?": str,
}
_RECORD = {
    "stamp": str,
    "bytes": int,
    "table?": int,
    "files": [str],
    "seconds": float,
    "records": [({"name": str, "shown": _SHOWN}, {"name": str, "error": str})],
    "tally": {
        "explained": int,
        "failed": int,
        "warned": int,
        "errors": [float],
        "held": [str],
        "pixels": {str: dict},
        "maps": {"counts": {str: int}, "drawn": {str: [list]}},
        "truth?": {
            "confusion": {str: {str: int}},
            "unmatched": {str: int},
            "others": int,
            "without": int,
        },
        "overview": {
            "outputs": [str],
            "pictures": [str],
            "names": [[str]],
            "sample": [list],
            "totals": {
                str: {
                    "name": str,
                    "count": int,
                    "sums": {str: (list, float)},
                    "sizes": {str: (list, float)},
                    "forgotten?": bool,
                    "counts": {str: int},
                    "words": {str: [float]},
                }
            },
        },
    },
}


class Folder:
    """An output folder and the state of its run; what failed is written in `words`."""

    def __init__(self, path: Path, words: Words = python_words) -> None:
        self._store = store_of(path)
        self.path, self.where = self._store.folder, self._store.where
        self.words = words
        self.state = self.path / ".batch"
        self.listing = self.state / "inputs.jsonl.gz"
        self._plan = self.state / "plan.json"
        self._aside, self._begun = self.state / "tmp", self.state / "begun"
        self._writer = Writer(self.path, self._aside, self._store.push)
        self._mine = set[int]()

    def check(self, *, force: bool) -> None:
        """Raise OutputError if the folder cannot be written, or holds what no run has written."""
        if not self._store.is_free(self.summary) and not force:
            hint = Hint("add {force:True} to write into it")
            raise OutputError("is not empty", where=self.where, hint=hint)

    def check_free(self) -> None:
        """Raise OutputError while another run writes here, before anybody waits for a model."""
        with suppress(FileNotFoundError), (self.state / "lock").open("r+b") as file:
            self._lock(file)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep other runs out. Raises OutputError while another one writes here."""
        make_folder(self.state)
        with (self.state / "lock").open("a+b") as file:
            self._lock(file)
            remove_tree(self._aside)
            if os.path.lexists(self._aside):
                shutil.rmtree(self._aside)  # says why it cannot be removed
            os.mkdir(self._aside)
            self._store.pull()
            try:
                yield
            finally:
                # What this process has begun has not killed it.
                for number in self._mine:
                    remove(self._begun / str(number))
                self._writer.close()
                # Where nothing was begun, or all is complete, there is nothing to go on from.
                remove_tree(self._aside if self._plan.exists() else self.state)
                self._store.leave(complete=not self._plan.exists())

    def _lock(self, file: BinaryIO) -> None:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(
                    "another run is writing here",
                    where=self.where,
                    hint="wait for it, or stop it",
                ) from None

    def plan(self) -> dict[str, Any]:
        """Return the plan of the run that was broken off, or nothing."""
        return _document(self._plan, {"format": object})

    def summary(self) -> dict[str, Any]:
        """Return the summary of the run that is complete, or nothing."""
        return _document(self.path / SUMMARY, _SUMMARY)

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Write down what the run will do; from now on it can be taken up again."""
        self.write(self._plan, encode(plan))

    def clear(self) -> None:
        """Remove what earlier runs have written, and nothing else."""
        if self.plan() or self.summary():
            # Broken off in the middle of this, the folder must not pass for that of any run.
            self.write(self._plan, encode({"format": None}))
            for tree in TREES:
                self._remove_tree(self.path / tree)
        for path in self.path.glob("explanation.results-?????-of-?????"):
            self._remove(path)
        tables = [f"{TABLE}.{form}" for form in get_args(TableForm)]
        for name in (ERRORS, SUMMARY, PAGE, *tables):
            self._remove(self.path / name)
        sync_folder(self.path)
        self.forget_all()
        self._remove(self._plan)
        sync_folder(self.state)

    def forget_all(self) -> None:
        """Remove the blocks of a run whose plan is not there any more."""
        self._remove_tree(self.state / "blocks")
        remove_tree(self._begun)
        sync_folder(self.state)

    # Blocks

    def begin_block(self, number: int) -> None:
        """Note that a block is in the works here; whoever comes after the process died sees it."""
        self._mine.add(number)
        with suppress(FileExistsError):
            os.mkdir(self._begun)
        create(self._begun / str(number)).close()

    def begun(self) -> set[int]:
        """Return the blocks that were in the works when an earlier process died."""
        try:
            return {int(name) for name in os.listdir(self._begun) if name.isdecimal()}
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def commit(self, finished: Finished, seconds: float) -> Finished:
        """Write a block: first its pictures and results, and, when they last, the record of them.

        Returns the block as it was written: an input whose files have names that cannot be had has
        failed. Raises OSError for what the folder refuses.
        """
        records = tuple(self._pictured(record) for record in finished.records)
        results = b"".join(it.result for it in records if it.result is not None)
        self._writer.add(self._block(finished.number, "results"), results)
        table = b"".join(it.table for it in records if it.result is not None)
        if table:
            self._writer.add(self._block(finished.number, "table"), table)
        self._writer.settle()
        record = {
            "stamp": finished.stamp,
            "bytes": len(results),
            **({"table": len(table)} if table else {}),
            "files": [place for record in records for place, _ in record.files],
            "seconds": seconds,
            "records": [
                {"name": it.name, "error": it.error.sentence(self.words)}
                if it.error is not None
                else {"name": it.name, "shown": it.shown}
                for it in records
            ],
            "tally": Summary.of(records).document(),
        }
        self._store.check_mark()
        self.write(self._block(finished.number, "json"), encode(record, indent=False))
        remove(self._begun / str(finished.number))
        self._mine.discard(finished.number)
        return replace(finished, records=records)

    def adopt(self, other: Folder, number: int) -> None:
        """Copy a block that another folder has: its files first, and, when they last, its record.

        Raises OSError, and ValueError for a file that is not below the folder.
        """
        record = other.record(number)
        own = record["files"]
        if not all(map(_is_below, own)):
            raise ValueError(f"the record of block {number} names files elsewhere")
        for place in own:
            self._writer.add(self.path / place, read_bytes(other.path / place))
        for suffix in ("results", "table"):
            if suffix == "results" or "table" in record:
                data = read_bytes(other._block(number, suffix))
                self._writer.add(self._block(number, suffix), data)
        self._writer.settle()
        self.write(self._block(number, "json"), encode(record, indent=False))

    def _pictured(self, record: Record) -> Record:
        """Write the files of an input; where their names cannot be had, it has failed."""
        try:
            for place, data in record.files:
                self._writer.add(self.path / place, data)
        except OSError as error:
            if error.errno not in _OF_A_NAME:
                raise
            self._writer.discard(self.path / place for place, _ in record.files)
            what = f"its files cannot be written ({error.strerror})"
            return Record.failed(record.name, Notice(what, Where(name=record.name)))
        return record

    def record(self, number: int) -> dict[str, Any]:
        """Return the record of a block, or nothing where it is to be done."""
        found = _document(self._block(number, "json"), _RECORD)
        known = {key.removesuffix("?") for key in _SHOWN}
        fine = all(it.get("shown", {}).keys() <= known for it in found.get("records", ()))
        return found if fine else {}

    def is_whole(self, number: int, record: Mapping[str, Any]) -> bool:
        """Whether a block's results are as long as its record says."""
        return _is_of_size(self._block(number, "results"), record["bytes"])

    def has_table(self, number: int, record: Mapping[str, Any]) -> bool:
        """Whether a block's part of the table is, if it has one."""
        return "table" not in record or _is_of_size(self._block(number, "table"), record["table"])

    def table(self, numbers: Iterable[int]) -> Iterator[Any]:
        """Yield the groups of rows of blocks, in order."""
        for number in numbers:
            if "table" in self.record(number):
                with self._block(number, "table").open("rb") as lines:
                    yield from map(orjson.loads, lines)

    def forget(self, numbers: Sequence[int], results: Iterable[Path]) -> None:
        """Make blocks some that are to be done: remove files of results, pictures, and records.

        What is removed first is gone for good before the next: a block with a record is complete.
        """
        for path in results:
            self._remove(path)
        sync_folder(self.path)
        written = (it for n in numbers for it in self.record(n).get("files", ()))
        pictures = [self.path / it for it in written if _is_below(it)]
        for found in (pictures, [self._block(number, "json") for number in numbers]):
            self._remove(*found)
            for folder in {path.parent for path in found}:
                sync_folder(folder)

    def results(self, shard: int, shards: int) -> Path:
        """Return the path of a file of results: ``explanation.results-00000-of-00001``."""
        return self.path / f"explanation.results-{shard:05d}-of-{shards:05d}"

    def assemble(self, path: Path, blocks: Iterable[int]) -> None:
        """Put the results of blocks together into one file, and remove them."""
        with self.aside(path) as file:
            for number in blocks:
                with self._block(number, "results").open("rb") as part:
                    shutil.copyfileobj(part, file, 1 << 20)
        self._remove(*(self._block(number, "results") for number in blocks))

    def _block(self, number: int, suffix: str) -> Path:
        return self.state / "blocks" / f"{number // 1000:04d}" / f"{number:07d}.{suffix}"

    # Files

    def write(self, path: Path, data: bytes) -> None:
        """Write a file aside and rename it into place, such that it stays. Raises OSError."""
        with self.aside(path) as file:
            file.write(data)

    @contextmanager
    def aside(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file that appears at `path` when all of it is written."""
        with self._writer.opened(path) as file:
            yield file
        self._writer.settle()

    def take(self, listing: Path) -> None:
        """Keep the list of inputs, which was written aside."""
        put_in_place(listing, self.listing)
        self._store.push([self.listing])

    def take_pages(self) -> None:
        """Keep the pages of the gallery, which were written in the folder."""
        self._store.push_pages()

    def remove_state(self) -> None:
        """Remove what is needed only to go on, the plan first: without it, a run is complete."""
        self._remove(self._plan)
        sync_folder(self.state)
        self._remove_tree(self.state)

    def _remove(self, *paths: Path) -> None:
        for path in paths:
            remove(path)
        self._store.drop(paths)

    def _remove_tree(self, path: Path) -> None:
        remove_tree(path)
        self._store.drop_tree(path)


def _document(path: Path, form: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object of a form, or nothing where there is none, or a damaged one."""
    try:
        found = orjson.loads(read_bytes(path))
        expect(found, form)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    read: dict[str, Any] = found
    return read


def _is_of_size(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size == size


def _is_below(place: str) -> bool:
    """Whether a path is one of the pictures that a run writes, and leads nowhere else."""
    top, *rest = place.split("/")
    return top in TREES and ".." not in rest and "\0" not in place
