"""A cluster: blocks are explained by the workers of a Dask scheduler that runs already.

Each worker loads the model once, and again after it was restarted; its threads explain. A bounded
window of blocks is out at a time, fed from the iterator of inputs; results come back here, so that
only this process writes. The workers need the same version of the program, and see the model and
the pictures under the same paths.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from asyncio import TimeoutError as AsyncTimeoutError
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeAlias
from uuid import uuid4

from pellucid.batch.engines.quarantine import Quarantine, Task
from pellucid.batch.engines.threads import Engine
from pellucid.batch.plan import Block
from pellucid.batch.records import Finished
from pellucid.batch.worker import About, Recipe, Work
from pellucid.errors import DependencyError, PellucidError
from pellucid.notices import Hint, Notice, Warn, Where

AHEAD = 2
"""How many blocks are out for each thread of the cluster."""

LOST = "the connection to the scheduler is lost"
ON = "the same command goes on from there"

PATIENCE = 1
"""The scheduler has tried a block on several workers before it says that it kills them."""

POLL = 0.05
"""Seconds between two looks for an answer."""

SILENCE = 60.0
"""After so many seconds without an answer, and again after as many, people are told."""

Waiting: TypeAlias = Callable[[], AbstractContextManager[None]]


@contextmanager
def on_cluster(
    recipe: Recipe,
    stop: threading.Event,
    warn: Warn,
    *,
    address: str | None = None,
    file: str | None = None,
    seconds: float = 30,
    silence: float = SILENCE,
) -> Iterator[Engine]:
    """Use the scheduler at `address`, or the one whose address is in `file`.

    Whenever nobody answers for `silence` seconds, `warn` is told, from a thread of its own.
    Raises DependencyError without Dask, PellucidError if no scheduler answers within `seconds`,
    and what loading the model raises there.
    """
    client = _connected(address, file, seconds)
    name, where = f"pellucid-{uuid4()}", Where(file=str(address or file))

    def waiting() -> AbstractContextManager[None]:
        return _telling(lambda silent: warn(_silent(client, silent).at(where)), silence)

    try:
        with waiting():
            try:
                client.wait_for_workers(1, timeout=10 * seconds)
            except (TimeoutError, AsyncTimeoutError) as error:
                raise PellucidError("the cluster has no workers", where=where) from error
            client.register_plugin(_plugin(recipe), name=name)
            with suppress(ValueError):  # a scheduler may be told to take nothing of the kind
                client.register_plugin(_forgetting(name, client.id), name=f"{name}-forgets")
            about = _loaded(client, name)

        def explain(blocks: Iterable[Block]) -> Iterator[Finished]:
            with _asking(client):
                yield from _explain(client, name, blocks, stop, waiting)

        width = AHEAD * sum(client.nthreads().values())
        yield Engine(about=about, explain=explain, blocks=width)
    finally:
        with suppress(PellucidError), _asking(client):  # there may be nobody any more
            client.unregister_worker_plugin(name)
        client.close()


@contextmanager
def _asking(client: Any) -> Iterator[None]:
    """Say in one way that the scheduler is gone, whatever a client raises that has lost it.

    One that has given up closes itself, and has no scheduler from some moment on: what is asked of
    it meanwhile fails by a missing attribute.
    """
    try:
        yield
    except (OSError, RuntimeError, AttributeError) as error:
        if not isinstance(error, OSError) and client.status not in ("closing", "closed"):
            raise
        reason = "" if isinstance(error, AttributeError) else f" ({error})"
        raise PellucidError(f"{LOST}{reason}", hint=ON) from error


def _connected(address: str | None, file: str | None, seconds: float) -> Any:
    """Return a client of the scheduler."""
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise DependencyError(
            "Dask is not installed, and a cluster needs it",
            hint="type pip install 'pellucid[dask]'",
        ) from error
    _wait_for(file, seconds)
    # It says of each death of a worker what a person can do nothing about.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    try:
        return Client(address=address, scheduler_file=file, timeout=seconds)
    except OSError as error:
        what, where = f"no scheduler answers there ({error})", Where(file=str(address or file))
        raise PellucidError(what, where=where) from error


@contextmanager
def _telling(say: Callable[[float], None], interval: float) -> Iterator[None]:
    """Until it ends, call `say` every `interval` seconds, with how many have passed."""
    over = threading.Event()

    def watch() -> None:
        silent = 0.0
        while not over.wait(interval):
            silent += interval
            say(silent)

    thread = threading.Thread(target=watch, name="pellucid-silence", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _silent(client: Any, seconds: float) -> Notice:
    """Say that nobody has answered for so long, and why that may be."""
    what = f"no worker has answered for {seconds:g} s"
    try:
        workers = len(client.sync(client.scheduler.ncores, callback_timeout=5))
    except (OSError, RuntimeError, TimeoutError, AsyncTimeoutError):
        return Notice(f"{what}, nor does the scheduler", hint=Hint("is it still there?"))
    if not workers:
        hint = Hint("the run goes on when one joins; the logs of those that died say why")
        return Notice(f"{what}, since the cluster has none now", hint=hint)
    there = f"{workers} are" if workers > 1 else "1 is"
    hint = Hint(
        "loading the model, a long block, or too little memory may keep them; their logs say more"
    )
    return Notice(f"{what}, of which {there} there", hint=hint)


def _loaded(client: Any, name: str) -> About:
    """Have a worker load the model. Raises what loading it raises, and where workers die of it."""
    from distributed import KilledWorker

    try:
        about: About = client.submit(_about, name, pure=False).result()
    except KilledWorker as error:
        what = "each worker of the cluster that loads the model dies, as with too little memory"
        hint = "start them with a higher limit of memory; their logs say why"
        raise PellucidError(what, hint=hint) from error
    return about


def _wait_for(file: str | None, seconds: float) -> None:
    """Wait for the scheduler to write its file; Dask would wait for ever."""
    end = time.monotonic() + seconds
    while file is not None and not os.path.exists(file):
        if time.monotonic() > end:
            raise PellucidError(
                "no such file",
                where=Where(file=str(file)),
                hint="does the scheduler write another?",
            )
        time.sleep(0.1)


def _plugin(recipe: Recipe) -> Any:
    """Return what keeps the model on a worker. A class of its own needs Dask to be there."""
    from distributed import WorkerPlugin

    class Loaded(WorkerPlugin):  # type: ignore[misc]
        """Loads the model when it is first asked for, once for all threads."""

        def __init__(self) -> None:
            self.recipe = recipe

        def setup(self, worker: Any) -> None:
            self.lock = threading.Lock()
            self.loaded: Work | None = None

        def work(self) -> Work:
            with self.lock:
                if self.loaded is None:
                    self.loaded = self.recipe.load()
                return self.loaded

    return Loaded()


def _forgetting(name: str, client: str) -> Any:
    """Return what has the workers forget the model when its client has gone, killed or not.

    The scheduler notices by the connection. Its class is sent by value: no program need be there.
    """
    from distributed import SchedulerPlugin

    class Forgetting(SchedulerPlugin):  # type: ignore[misc]
        """Takes the plugin `name` off the workers when `client` has left."""

        def remove_client(self, scheduler: Any, client: str) -> None:
            if client != self.client:
                return
            scheduler.remove_plugin(name=f"{self.model}-forgets")
            if self.model in scheduler.worker_plugins:
                scheduler.loop.add_callback(scheduler.unregister_worker_plugin, None, self.model)

    plugin = Forgetting()
    plugin.model, plugin.client = name, client
    return plugin


def _work(name: str) -> Work:
    from distributed import get_worker

    work: Work = get_worker().plugins[name].work()
    return work


def _about(name: str) -> About:
    return _work(name).about


def _run(name: str, block: Block) -> Finished:
    return _work(name).run(block)


def _next(client: Any, done: Any, stop: threading.Event) -> Any:
    """Wait for the next of `done`; None at a stop without workers, which need never come."""
    while not done.has_ready():
        if stop.is_set() and not client.nthreads():
            return None
        time.sleep(POLL)
    return next(done)


def _explain(
    client: Any, name: str, blocks: Iterable[Block], stop: threading.Event, waiting: Waiting
) -> Iterator[Finished]:
    from distributed import KilledWorker, as_completed

    source, out = iter(blocks), dict[str, Task]()
    quarantine, again = Quarantine(PATIENCE), list[Task]()
    done = as_completed()
    more = True
    while True:
        # Of tasks that were on one worker the scheduler cannot tell who killed it: suspects are out
        # one at a time, and nobody else.
        width = 1 if again else AHEAD * max(2, sum(client.nthreads().values()))
        alone = any(task.alone for task in out.values())
        while (again or more) and len(out) < width and not alone and not stop.is_set():
            if again:
                task = again.pop(0)
            elif (block := next(source, None)) is not None:
                task = Task(block=block, part=block)
            else:
                more = False
                break
            future = client.submit(_run, name, task.part, pure=False, retries=1)
            out[future.key] = task
            done.add(future)
            alone = task.alone
        if not out:
            return
        with waiting():
            if (future := _next(client, done, stop)) is None:
                return
        if future.status == "cancelled":
            raise PellucidError(LOST, hint=ON)
        if future.status not in ("finished", "error"):  # its worker died then: it is computed again
            done.add(future)
            continue
        task = out.pop(future.key)
        # A result is fetched from its worker, which may die meanwhile: then it is computed again,
        # and what killed the worker may kill the next ones, too.
        try:
            with waiting():
                found = future.result()
            then = quarantine.finished(task, found)
        except KilledWorker:
            then = quarantine.lost(task)
        except CancelledError as error:
            raise PellucidError(LOST, hint=ON) from error
        again += then[0]
        if then[1] is not None:
            yield then[1]
