"""Runs carried out by several workers."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from made import Made, contents

from pellucid.batch import Engine, Finished, Run
from pellucid.batch.engines.cluster import on_cluster
from pellucid.batch.engines.processes import in_processes
from pellucid.notices import Message


class Killing:
    """Kills a worker when the third block is written."""

    def __init__(self, kill: Any) -> None:
        self.kill, self.finished = kill, 0

    def warns(self, sentence: str) -> None: ...

    def notes(self, sentence: str) -> None: ...

    def begins(self, total: int, done: int, failed: int) -> None: ...

    def finishes(self, finished: Finished) -> None:
        self.finished += 1
        if self.finished == 3:
            self.kill()


def explained(
    source: Path,
    out: Path,
    opened: AbstractContextManager[Engine],
    watcher: Any = None,
    **options: Any,
) -> dict[str, bytes]:
    Run(named=(str(source),), out=out, size=4, **options).carry_out(opened, watcher)
    return contents(out)


def processes(jobs: int = 2, recipe: Any = Made()) -> AbstractContextManager[Engine]:
    return in_processes(recipe, threading.Event(), jobs)


def fail(message: Message) -> None:
    raise AssertionError(message.sentence())


def dask(cluster: Any, recipe: Any = Made()) -> AbstractContextManager[Engine]:
    """An engine of the cluster; what it says of silence fails a test, however busy the machine is."""
    address = cluster.scheduler_address
    return on_cluster(recipe, threading.Event(), fail, address=address, silence=600)
