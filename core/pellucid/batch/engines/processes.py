"""Several processes on this machine: each has the model, and a share of the processors or a GPU.

They are begun anew, never forked, and get a few blocks ahead, so that theirs overlap as in one
process. One that dies is replaced; whoever killed it is found and left out, and so is an instance
that takes longer than it may.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import inf
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import monotonic
from typing import Any

from pellucid.batch.engines.child import Child, start
from pellucid.batch.engines.quarantine import Quarantine, Task
from pellucid.batch.engines.threads import Engine
from pellucid.batch.plan import Block
from pellucid.batch.records import Finished
from pellucid.batch.worker import About, Recipe, StoppedError
from pellucid.errors import ModelError, PellucidError
from pellucid.notices import Where
from pellucid.runtime.engine import cores

AHEAD = 3
"""How many blocks a worker has: one on the device, others decoded or drawn meanwhile."""

_THREADS = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)


def gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name and name != "-1"]
    known = Path("/proc/driver/nvidia/gpus")
    return [str(i) for i in range(len(list(known.iterdir())))] if known.is_dir() else []


def environments(jobs: int, processors: int, devices: Sequence[str]) -> list[dict[str, str]]:
    """Return what each worker finds in its environment: its threads, and its GPU."""
    found = []
    for job in range(jobs):
        share = processors // jobs + (job < processors % jobs)
        one = dict.fromkeys(_THREADS, str(max(1, share)))
        if devices:
            one["CUDA_VISIBLE_DEVICES"] = devices[job % len(devices)]
            if jobs > len(devices):
                one["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
        found.append(one)
    return found


@contextmanager
def in_processes(
    recipe: Recipe, stop: threading.Event, jobs: int, *, timeout: float | None = None
) -> Iterator[Engine]:
    """Load the model in `jobs` processes. Raises what loading it raises.

    An instance that takes more than `timeout` seconds is left out, and its process killed.
    """
    pool = _Pool(recipe, stop, environments(jobs, cores(), gpus()), timeout)
    try:
        about = pool.about()
        yield Engine(about=about, explain=pool.explain, blocks=pool.ahead * jobs)
    finally:
        pool.close()


@dataclass(eq=False)
class _Worker:
    """A process, and what it was asked to do; `since` when it was last heard of, or asked.

    `loading` is how long it took to load the model: its first block, which compiles it, may take so
    much longer. `overdue` tells that it was killed for its time.
    """

    child: Child
    environment: Mapping[str, str]
    since: float
    ready: bool = False
    loading: float = 0.0
    overdue: bool = False
    tasks: dict[int, Task] = field(default_factory=dict)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self.child.process

    @property
    def connection(self) -> Connection:
        return self.child.connection


class _Pool:
    def __init__(
        self,
        recipe: Recipe,
        stop: threading.Event,
        each: Sequence[Mapping[str, str]],
        timeout: float | None,
    ) -> None:
        self._recipe, self._stop, self._timeout = recipe, stop, timeout
        # Of several at a time nobody could say which one takes too long.
        self.ahead = AHEAD if timeout is None else 1
        self._longest = 0.0
        self._quarantine = Quarantine(timeout=timeout)
        self._again: deque[Task] = deque()
        self._about: About | None = None
        self._count = 0
        self._workers = [self._started(environment) for environment in each]

    def about(self) -> About:
        """Wait for the first worker that has loaded the model."""
        while self._about is None:
            for _ in self._listen():
                pass  # nothing was asked yet
        return self._about

    def explain(self, blocks: Iterable[Block]) -> Iterator[Finished]:
        source = iter(blocks)
        told = False
        while True:
            more = self._give(source)
            if self._stop.is_set() and not told:
                told = True
                self._again.clear()
                for worker in self._workers:
                    worker.connection.send(None)
            if not more and not any(worker.tasks for worker in self._workers):
                return
            yield from self._listen()

    def close(self) -> None:
        for worker in self._workers:
            worker.child.end()

    def _give(self, source: Iterator[Block]) -> bool:
        """Give every worker as much as it takes; whether there may be more to do."""
        for worker in self._workers:
            while worker.ready and len(worker.tasks) < self.ahead:
                if any(task.alone for task in worker.tasks.values()):
                    break
                if self._again:
                    if worker.tasks:
                        break
                    task = self._again.popleft()
                elif (block := next(source, None)) is not None:
                    task = Task(block=block, part=block)
                    if block.suspect:
                        # It has cost a process already; so it waits for one of its own.
                        self._again.extend(self._quarantine.lost(task)[0])
                        continue
                else:
                    return False
                self._count += 1
                worker.since = worker.since if worker.tasks else monotonic()
                worker.tasks[self._count] = task
                try:
                    worker.connection.send((self._count, task.part))
                except OSError:  # it has died; its end says so, too
                    break
        return True

    def _listen(self) -> Iterator[Finished]:
        """Wait for word of a worker, or for the end of one; yield the blocks that are finished."""
        heard = wait([worker.connection for worker in self._workers], timeout=0.5)
        for place, worker in enumerate(self._workers):
            if worker.connection not in heard:
                self._kill_if_overdue(worker)
                continue
            try:
                kind, number, what = worker.connection.recv()
            except (EOFError, OSError):
                yield from self._replaced(place)
                continue
            took, worker.since = monotonic() - worker.since, monotonic()
            if kind == "about":
                self._about, worker.ready, worker.loading = what, True, took
            elif kind == "finished":
                self._longest = max(self._longest, took)
                worker.loading = 0.0
                yield from self._next(self._quarantine.finished(worker.tasks.pop(number), what))
            elif kind == "stopped":
                del worker.tasks[number]
            else:
                raise what

    def _kill_if_overdue(self, worker: _Worker) -> None:
        allowed = worker.loading + sum(map(self._allowed, worker.tasks.values()))
        if worker.tasks and monotonic() - worker.since > allowed:
            worker.overdue = True
            worker.process.kill()

    def _allowed(self, task: Task) -> float:
        """Return how many seconds a task may take.

        A block may take what its instances may, but where nothing has taken so long yet, one of
        them is suspected earlier: they are tried one by one, and then together again.
        """
        if self._timeout is None:
            return inf
        all_of_them = self._timeout * len(task.part.items)
        if task.purpose == "whole":
            return min(all_of_them, max(self._timeout, 2 * self._longest))
        return all_of_them

    def _next(self, then: tuple[list[Task], Finished | None]) -> Iterator[Finished]:
        tasks, finished = then
        self._again.extend(tasks)
        if finished is not None:
            yield finished

    def _replaced(self, place: int) -> Iterator[Finished]:
        """Start another worker in the place of one that died, and see to its tasks."""
        worker = self._workers[place]
        code = worker.child.end()
        if not worker.ready:
            raise ModelError(
                f"a worker process ended while it loaded the model (exit code {code})",
                where=Where(file=str(self._recipe.directory)),
                hint=f"are there memory and GPUs for {len(self._workers)} of them?",
            )
        self._workers[place] = self._started(worker.environment)
        if not self._stop.is_set():
            for task in worker.tasks.values():
                yield from self._next(self._quarantine.lost(task, late=worker.overdue))

    def _started(self, environment: Mapping[str, str]) -> _Worker:
        child = start(_serve, self._recipe, environment)
        return _Worker(child=child, environment=environment, since=monotonic())


def _serve(recipe: Recipe, connection: Connection) -> None:
    """Load the model, and explain what comes until the other end is closed."""
    # Ctrl-C, and the end of the terminal, are for the process that asks.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        work = recipe.load()
        about = work.about
        gc.freeze()  # see `spared`: this process ends with the run
    except PellucidError as error:
        connection.send(("failed", 0, error))
        return
    lock = threading.Lock()

    def say(kind: str, number: int, what: Any) -> None:
        with lock:
            try:
                connection.send((kind, number, what))
            except OSError:  # nobody listens any more
                os._exit(1)

    def done(number: int, future: Future[Finished]) -> None:
        error = future.exception()
        if error is None:
            say("finished", number, future.result())
        elif isinstance(error, StoppedError):
            say("stopped", number, None)
        else:
            say("failed", number, error)

    say("about", 0, about)
    with ThreadPoolExecutor(AHEAD, "pellucid-batch") as pool:
        while True:
            try:
                asked = connection.recv()
            except (EOFError, OSError):
                os._exit(0)  # at once, whatever is in the works
            if asked is None:
                work.stopping.set()
                continue
            number, block = asked
            pool.submit(work.run, block).add_done_callback(partial(done, number))
