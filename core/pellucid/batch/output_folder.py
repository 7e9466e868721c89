"""The folder that a run writes, such that it can be broken off at any moment and taken up again.

While a run is not complete, ``.batch/`` keeps its plan and, for each block that is, its results and
a record. A file is written there under another name and then renamed; the record comes last, and
what has none is done again. Blocks are put together, in order, into files of results; when all are
there, the summary is written and ``.batch/`` removed.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from pellucid.batch.records import Finished
from pellucid.batch.summary import Summary
from pellucid.errors import OutputError, refuse_remote
from pellucid.notices import Hint, Where, Words, python_words
from pellucid.responses import encode

ERRORS, SUMMARY, PAGE = "errors.jsonl", "summary.json", "index.html"
TREES = ("overlays", "thumbnails", "originals", "attributions")


class Folder:
    """An output folder and the state of its run; what failed is written in `words`."""

    def __init__(self, path: Path, words: Words = python_words) -> None:
        self.path = path
        self.words = words
        self.state = path / ".batch"
        self.listing = self.state / "inputs.jsonl.gz"
        self._plan = self.state / "plan.json"
        self._parents: set[Path] = set()

    def check(self, *, force: bool) -> None:
        """Raise OutputError if the folder cannot be written, or holds what no run has written."""
        refuse_remote(self.path, OutputError)
        where = Where(file=str(self.path))
        if self.path.exists() and not self.path.is_dir():
            raise OutputError("is a file", where=where, hint="name a folder")
        ours = force or self.state.is_dir() or self.summary()
        if self.path.is_dir() and not ours and any(self.path.iterdir()):
            hint = Hint("add {force:True} to write into it")
            raise OutputError("is not empty", where=where, hint=hint)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep other runs out. Raises OutputError while another one writes here."""
        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state / "lock").open("a+b") as file:
            if sys.platform != "win32":
                import fcntl

                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise OutputError(
                        "another run is writing here",
                        where=Where(file=str(self.path)),
                        hint="wait for it, or stop it",
                    ) from None
            shutil.rmtree(self.state / "tmp", ignore_errors=True)
            (self.state / "tmp").mkdir()
            try:
                yield
            finally:
                # Where nothing was begun, or all is complete, there is nothing to go on from.
                unfinished = self.state / "tmp" if self._plan.exists() else self.state
                shutil.rmtree(unfinished, ignore_errors=True)

    def plan(self) -> dict[str, Any]:
        """Return the plan of the run that was broken off, or nothing."""
        return _document(self._plan)

    def summary(self) -> dict[str, Any]:
        """Return the summary of the run that is complete, or nothing."""
        found = _document(self.path / SUMMARY)
        return found if "plan" in found else {}

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Write down what the run will do; from now on it can be taken up again."""
        self.write(self._plan, encode(plan))

    def clear(self) -> None:
        """Remove what earlier runs have written, and nothing else."""
        if self.plan() or self.summary():
            # Broken off in the middle of this, the folder must not pass for that of any run.
            self.write(self._plan, encode({"format": None}))
            for tree in TREES:
                shutil.rmtree(self.path / tree, ignore_errors=True)
        for path in self.path.glob("explanation.results-?????-of-?????"):
            path.unlink()
        for name in (ERRORS, SUMMARY, PAGE):
            (self.path / name).unlink(missing_ok=True)
        self.forget_all()
        self._plan.unlink(missing_ok=True)

    def forget_all(self) -> None:
        """Remove the blocks of a run whose plan is not there any more."""
        shutil.rmtree(self.state / "blocks", ignore_errors=True)

    # Blocks

    def commit(self, finished: Finished, seconds: float) -> None:
        """Write a block: first its pictures, then its results, and last the record of both."""
        for place, data in (file for record in finished.records for file in record.files):
            self.write(self.path / place, data)
        results = b"".join(it.result for it in finished.records if it.result is not None)
        self.write(self._block(finished.number, "results"), results)
        record = {
            "stamp": finished.stamp,
            "bytes": len(results),
            "files": [place for record in finished.records for place, _ in record.files],
            "seconds": seconds,
            "records": [
                {"name": it.name, "error": it.error.sentence(self.words)}
                if it.error is not None
                else {"name": it.name, "shown": it.shown}
                for it in finished.records
            ],
            "tally": Summary.of(finished.records).document(),
        }
        self.write(self._block(finished.number, "json"), encode(record, indent=False))

    def record(self, number: int) -> dict[str, Any]:
        """Return the record of a block, or nothing where it is to be done."""
        return _document(self._block(number, "json"))

    def is_whole(self, number: int, record: Mapping[str, Any]) -> bool:
        """Whether a block's results are as long as its record says."""
        path = self._block(number, "results")
        return path.exists() and path.stat().st_size == record["bytes"]

    def forget(self, number: int) -> None:
        """Make a block one that is to be done, and remove its pictures."""
        for place in self.record(number).get("files", ()):
            (self.path / place).unlink(missing_ok=True)
        self._block(number, "json").unlink(missing_ok=True)

    def results(self, shard: int, shards: int) -> Path:
        """Return the path of a file of results: ``explanation.results-00000-of-00001``."""
        return self.path / f"explanation.results-{shard:05d}-of-{shards:05d}"

    def assemble(self, path: Path, blocks: Iterable[int]) -> None:
        """Put the results of blocks together into one file, and remove them."""
        with self.aside(path) as file:
            for number in blocks:
                with self._block(number, "results").open("rb") as part:
                    shutil.copyfileobj(part, file, 1 << 20)
        for number in blocks:
            self._block(number, "results").unlink(missing_ok=True)

    def _block(self, number: int, suffix: str) -> Path:
        return self.state / "blocks" / f"{number // 1000:04d}" / f"{number:07d}.{suffix}"

    # Files

    def write(self, path: Path, data: bytes) -> None:
        """Write a file aside and rename it into place. Raises OSError."""
        with self.aside(path) as file:
            file.write(data)

    @contextmanager
    def aside(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file that appears at `path` when all of it is written."""
        partial = self.state / "tmp" / f"{path.name[-80:]}.partial"
        try:
            with partial.open("wb") as file:
                yield file
            if path.parent not in self._parents:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._parents.add(path.parent)
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def remove_state(self) -> None:
        """Remove what is needed only to go on, the plan first: without it, a run is complete."""
        self._plan.unlink(missing_ok=True)
        shutil.rmtree(self.state)


def _document(path: Path) -> dict[str, Any]:
    """Return a JSON object, or nothing where there is none, or a damaged one."""
    try:
        found = orjson.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
