"""Judges in processes of this machine, as those of a batch: begun anew, with a share of it each.

Each has one group of instances at a time: whoever judges reads nothing meanwhile, and one who sends
it more, while it sends what it found, would wait for ever. What they find comes back in the order
of the groups.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from pellucid.api import LoadOptions, load_model
from pellucid.api.judging import Elsewhere, Findings, Group, judge_of
from pellucid.batch.engines import Child, environments, gpus, start
from pellucid.errors import ModelError, PellucidError
from pellucid.notices import Where
from pellucid.runtime.engine import cores, parallel_batches_here

AHEAD = 2
"""Groups for each process that may be found, or in the works, before the first of them is."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How to load the model in any process, and what is asked of `pellucid.api.judging`."""

    directory: Path
    options: LoadOptions
    candidates: str = ""
    metrics: str = ""
    stages: int = 50
    repeats: str | None = None
    masks: Path | None = None
    seed: int = 0

    def judge(self) -> Callable[[Group], Findings]:
        """Load the model. Raises what `pellucid.load` raises, and SpecError."""
        options = replace(self.options, parallel_batches=parallel_batches_here())
        model = load_model(self.directory, options, _unheard, _unheard)
        return judge_of(
            model, self.candidates, self.metrics, stages=self.stages, repeats=self.repeats,
            masks=self.masks, seed=self.seed,
        ).judge  # fmt: skip


@contextmanager
def in_processes(asked: Asked, jobs: int) -> Iterator[Elsewhere]:
    """Yield what judges instances in `jobs` processes; they end with it."""
    workers = [_Worker(start(_serve, asked, it)) for it in environments(jobs, cores(), gpus())]
    try:
        yield lambda groups: _judged(workers, groups, asked.directory)
    finally:
        for worker in workers:
            worker.child.end()


@dataclass(eq=False)
class _Worker:
    child: Child
    asked: list[int] = field(default_factory=list)


def _judged(workers: list[_Worker], groups: Iterable[Group], directory: Path) -> Iterator[Findings]:
    source, asked, given = iter(groups), 0, 0
    done: dict[int, Findings] = {}
    more = True
    while True:
        # First, since what may be asked for ahead counts from what was not given yet.
        while given in done:
            yield done.pop(given)
            given += 1
        for worker in workers:
            if more and not worker.asked and asked - given < AHEAD * len(workers):
                group = next(source, None)
                more = group is not None
                if group is not None:
                    _tell(worker, (asked, group), directory)
                    worker.asked.append(asked)
                    asked += 1
        if not any(it.asked for it in workers):
            return
        heard = wait([it.child.connection for it in workers if it.asked])
        for worker in workers:
            if worker.child.connection in heard:
                number, what = _heard(worker, directory)
                if isinstance(what, BaseException):
                    raise what
                worker.asked.remove(number)
                done[number] = what


def _tell(worker: _Worker, what: object, directory: Path) -> None:
    try:
        worker.child.connection.send(what)
    except OSError as error:
        if worker.child.connection.poll():  # it said why before it ended
            _, said = _heard(worker, directory)
            if isinstance(said, BaseException):
                raise said from error
        raise _ended(worker, directory) from error


def _heard(worker: _Worker, directory: Path) -> tuple[int, Any]:
    try:
        found: tuple[int, Any] = worker.child.connection.recv()
        return found
    except (EOFError, OSError) as error:
        raise _ended(worker, directory) from error


def _ended(worker: _Worker, directory: Path) -> ModelError:
    code = worker.child.end()
    return ModelError(
        f"a process that judged instances has ended (exit code {code})",
        where=Where(file=str(directory)),
        hint="is there memory for all of them? With a report's folder, the same command goes on",
    )


def _serve(asked: Asked, connection: Connection) -> None:
    """Load the model, and judge what comes until the other end is closed."""
    # Ctrl-C, and the end of the terminal, are for the process that asks.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    number = -1
    try:
        judge = asked.judge()
        while True:
            number, group = connection.recv()
            connection.send((number, judge(group)))
    except EOFError:
        os._exit(0)
    except PellucidError as error:
        connection.send((number, error))
    except OSError:  # nobody listens any more
        os._exit(1)


def _unheard(said: object) -> None:
    """Say nothing: the process that asks has said it."""
