"""Several processes and clusters leave the bytes of one; workers may die, and inputs kill them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made import Made, MadeWork, contents, engine, table

from clusters import local_cluster
from pellucid.batch import Engine, Finished, Run, in_this_process
from pellucid.batch.engines.cluster import LOST, _asking, _silent, on_cluster
from pellucid.batch.engines.processes import environments, in_processes
from pellucid.errors import PellucidError
from pellucid.notices import Message


@pytest.fixture
def source(tmp_path: Path) -> Path:
    table(tmp_path / "in/a.csv", 30)
    table(tmp_path / "in/b.csv", 33, first=30)
    (tmp_path / "in/c.jsonl").write_text("[1, 2, 3]\nnothing\n[4, 5, 6]\n")
    return tmp_path / "in"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A scheduler with two workers on this machine."""
    with local_cluster(2) as found:
        yield found


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


@pytest.mark.parametrize("where", ["processes", "cluster"])
def test_two_workers_leave_the_bytes_of_one(
    source: Path, tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    alone = explained(source, tmp_path / "one", engine())
    two = processes() if where == "processes" else dask(request.getfixturevalue("cluster"))
    assert explained(source, tmp_path / "two", two) == alone


def test_killing_a_process_in_the_middle_loses_nothing(source: Path, tmp_path: Path) -> None:
    alone = explained(source, tmp_path / "one", engine())
    engines: list[Engine] = []

    @contextmanager
    def opened() -> Iterator[Engine]:
        with processes() as engine:
            engines.append(engine)
            yield engine

    def kill() -> None:
        # One that still loads the model would say that there is no room for so many.
        workers = engines[0].explain.__self__._workers  # type: ignore[attr-defined]
        os.kill(next(worker.process.pid for worker in workers if worker.ready), signal.SIGKILL)

    killing = Killing(kill)
    assert explained(source, tmp_path / "two", opened(), killing) == alone
    assert killing.finished == 17


def test_killing_a_worker_of_the_cluster_in_the_middle_loses_nothing(
    source: Path, tmp_path: Path, cluster: Any
) -> None:
    alone = explained(source, tmp_path / "one", engine())
    killing = Killing(
        lambda: os.kill(next(iter(cluster.workers.values())).process.process.pid, signal.SIGKILL)
    )
    assert explained(source, tmp_path / "two", dask(cluster), killing) == alone
    assert killing.finished == 17


@pytest.mark.parametrize("where", ["processes", "cluster"])
def test_an_input_that_kills_its_worker_is_left_out_and_named(
    source: Path, tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    (source / "b.csv").write_text("a,b,c\n1,2,3\n7,7,7\n4,5,6\n")
    two = processes() if where == "processes" else dask(request.getfixturevalue("cluster"))
    found = explained(source, tmp_path / "two", two)
    errors = found["errors.jsonl"].decode().splitlines()
    name = f"{source}/b.csv:3"
    sentence = f"{name}: the process that explains it dies each time"
    assert errors[0] == f'{{"input":"{name}","error":"{sentence}"}}' and len(errors) == 2
    results = found["explanation.results-00000-of-00001"].decode().splitlines()
    assert len(results) == 36 - 2


def test_an_input_that_never_ends_is_left_out_and_named(source: Path, tmp_path: Path) -> None:
    (source / "b.csv").write_text("a,b,c\n1,2,3\n8,8,8\n4,5,6\n7,7,7\n")
    limited = in_processes(Made(), threading.Event(), 1, timeout=2)
    found = explained(source, tmp_path / "out", limited)
    errors = [json.loads(line) for line in found["errors.jsonl"].decode().splitlines()]
    assert [(it["input"], it["error"].removeprefix(it["input"])) for it in errors] == [
        (f"{source}/b.csv:3", ": was not explained within 2 s; give it longer with timeout=…"),
        (f"{source}/b.csv:5", ": the process that explains it dies each time"),
        (f"{source}/c.jsonl:2", errors[2]["error"].removeprefix(f"{source}/c.jsonl:2")),
    ]
    results = found["explanation.results-00000-of-00001"].decode().splitlines()
    assert len(results) == 30 + 2 + 2


def test_an_input_that_kills_the_only_process_is_named_when_the_run_goes_on(
    source: Path, tmp_path: Path
) -> None:
    (source / "b.csv").write_text("a,b,c\n1,2,3\n7,7,7\n4,5,6\n")
    run = (
        "from made import Made; from pathlib import Path; from threading import Event\n"
        "from pellucid.batch import Run, in_this_process\n"
        f"out, stop = Path({str(tmp_path / 'out')!r}), Event()\n"
        f"run = Run(named=({str(source)!r},), out=out, size=4, stop=stop)\n"
        "run.carry_out(in_this_process(Made(), stop, out))\n"
    )
    paths = os.pathsep.join(filter(None, sys.path))
    first = subprocess.run([sys.executable, "-c", run], env={**os.environ, "PYTHONPATH": paths})
    assert first.returncode == -signal.SIGKILL
    out, said = tmp_path / "out", list[str]()

    class Hearing(Killing):
        def warns(self, sentence: Any) -> None:
            said.append(str(sentence))

    again = in_this_process(Made(), threading.Event(), out)
    found = explained(source, out, again, Hearing(lambda: None))
    assert len(said) == 1 and "an earlier run ended with" in said[0]
    errors = [json.loads(line)["error"] for line in found["errors.jsonl"].decode().splitlines()]
    assert errors[0] == f"{source}/b.csv:3: the process that explains it dies each time"
    assert len(errors) == 2
    results = found["explanation.results-00000-of-00001"].decode().splitlines()
    assert len(results) == 30 + 2 + 2


def test_a_process_imports_nothing_from_the_current_directory(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("selectors", "struct", "tempfile", "numpy", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    alone = explained(source, tmp_path / "one", engine())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert explained(source, tmp_path / "two", processes()) == alone
    assert not (tmp_path / "imported").exists()


def test_processes_share_the_processors_and_the_gpus() -> None:
    threads = [it["TF_NUM_INTRAOP_THREADS"] for it in environments(3, 8, [])]
    assert threads == ["3", "3", "2"]
    assert [it["OMP_NUM_THREADS"] for it in environments(4, 2, [])] == ["1"] * 4
    each = environments(2, 8, ["0", "GPU-5f"])
    assert [it["CUDA_VISIBLE_DEVICES"] for it in each] == ["0", "GPU-5f"]
    assert not any("TF_FORCE_GPU_ALLOW_GROWTH" in it for it in each)
    shared = environments(3, 8, ["4", "6"])
    assert [it["CUDA_VISIBLE_DEVICES"] for it in shared] == ["4", "6", "4"]
    assert all(it["TF_FORCE_GPU_ALLOW_GROWTH"] == "true" for it in shared)


def test_a_stop_ends_after_the_blocks_in_flight_and_the_rest_is_done_later(
    source: Path, tmp_path: Path
) -> None:
    stop = threading.Event()
    run = Run(named=(str(source),), out=tmp_path / "two", size=4, stop=stop)
    outcome = run.carry_out(in_processes(Made(), stop, 2), Killing(stop.set))
    assert outcome.stopped == "interrupted" and 12 <= outcome.done < 66
    found = explained(source, tmp_path / "two", processes())
    assert found == explained(source, tmp_path / "one", engine())


def test_a_scheduler_that_goes_away_ends_the_run_which_can_go_on(
    source: Path, tmp_path: Path
) -> None:
    from distributed import Client

    alone = explained(source, tmp_path / "one", engine())
    with local_cluster(1) as found:

        def leave() -> None:
            # It would look for the scheduler for as long as it had waited for it at first.
            Client.current()._timeout = 0.1
            found.close()

        with pytest.raises(PellucidError, match="connection to the scheduler is lost"):
            explained(source, tmp_path / "two", dask(found), Killing(leave))
    assert explained(source, tmp_path / "two", engine()) == alone


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        ("closing", AttributeError("'NoneType' object has no attribute 'x'"), LOST),
        ("closed", RuntimeError("Client is closed"), f"{LOST} (Client is closed)"),
        ("running", OSError("gone"), f"{LOST} (gone)"),
    ],
)
def test_whatever_fails_of_a_client_that_has_lost_its_scheduler_is_said_in_one_way(
    status: str, error: Exception, said: str
) -> None:
    with pytest.raises(PellucidError) as raised, _asking(SimpleNamespace(status=status)):
        raise error
    assert raised.value.what == said


def test_what_fails_of_a_client_at_work_is_a_fault() -> None:
    with pytest.raises(AttributeError), _asking(SimpleNamespace(status="running")):
        raise AttributeError


@dataclass(frozen=True)
class Held:
    """A recipe that is not carried out before there is a file."""

    until: Path

    def load(self) -> MadeWork:
        while not self.until.exists():
            time.sleep(0.01)
        return Made().load()


def test_a_cluster_that_keeps_its_answer_to_itself_is_said_to(
    source: Path, tmp_path: Path, cluster: Any
) -> None:
    said: list[str] = []

    def warn(message: Message) -> None:
        said.append(message.sentence())
        if len(said) == 3:
            (tmp_path / "go").touch()

    address = cluster.scheduler_address
    held = on_cluster(Held(tmp_path / "go"), threading.Event(), warn, address=address, silence=0.5)
    found = explained(source, tmp_path / "two", held)
    assert found == explained(source, tmp_path / "one", engine())
    assert said[0].startswith(f"{address}: no worker has answered for 0.5 s, of which 2 are there;")
    assert said[2].startswith(f"{address}: no worker has answered for 1.5 s, of which 2 are there;")


def test_a_cluster_without_workers_is_said_to_have_none_and_waited_for(
    source: Path, tmp_path: Path
) -> None:
    """At the start, and when all have gone in the middle."""
    from distributed import Client

    with local_cluster(0) as found:
        said: list[str] = []

        def warn(message: Message) -> None:
            said.append(message.sentence())
            if "the cluster has none now" in said[-1]:
                found.scale(1)

        def leave() -> None:
            found.scale(0)
            while Client.current().nthreads():
                time.sleep(0.01)

        address = found.scheduler_address
        opened = on_cluster(Made(), threading.Event(), warn, address=address, silence=0.5)
        two = explained(source, tmp_path / "two", opened, Killing(leave))
    assert two == explained(source, tmp_path / "one", engine())
    none = [i for i, it in enumerate(said) if "the cluster has none now" in it]
    assert none[0] == 0 and len(none) >= 2


def test_a_stop_does_not_wait_for_workers_of_which_there_are_none(
    source: Path, tmp_path: Path
) -> None:
    from distributed import Client

    stop = threading.Event()
    with local_cluster(1) as found:

        def leave() -> None:
            found.scale(0)
            while Client.current().nthreads():
                time.sleep(0.01)
            stop.set()

        run = Run(named=(str(source),), out=tmp_path / "two", size=4, stop=stop)
        address = found.scheduler_address
        opened = on_cluster(Made(), stop, fail, address=address, silence=600)
        outcome = run.carry_out(opened, Killing(leave))
    assert outcome.stopped == "interrupted" and 12 <= outcome.done < 66
    alone = explained(source, tmp_path / "one", engine())
    assert explained(source, tmp_path / "two", engine()) == alone


def test_a_killed_client_leaves_no_model_on_the_workers(tmp_path: Path, cluster: Any) -> None:
    run = (
        "import os, signal, threading; from made import Made\n"
        "from pellucid.batch.engines.cluster import on_cluster\n"
        f"opened = on_cluster(Made(), threading.Event(), print, address={cluster.scheduler_address!r})\n"
        "with opened:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    before = dict(cluster.scheduler.worker_plugins)
    paths = os.pathsep.join(filter(None, sys.path))
    ended = subprocess.run([sys.executable, "-c", run], env={**os.environ, "PYTHONPATH": paths})
    assert ended.returncode == -signal.SIGKILL

    def models() -> set[str]:
        there = cluster.scheduler.plugins.keys() | cluster.scheduler.worker_plugins.keys()
        return {name for name in there - before.keys() if name.startswith("pellucid-")}

    end = time.monotonic() + 600
    while models() and time.monotonic() < end:
        time.sleep(0.05)
    assert not models()


def test_a_scheduler_that_is_silent_itself_is_said_to_be() -> None:
    class Stuck:
        scheduler = SimpleNamespace(ncores=None)

        def sync(self, *_: object, **__: object) -> None:
            raise TimeoutError

    assert _silent(Stuck(), 60).sentence() == (
        "no worker has answered for 60 s, nor does the scheduler; is it still there?"
    )


class Unloadable:
    """A recipe that cannot be carried out."""

    def load(self) -> Any:
        raise PellucidError("no such model")


class TooLarge:
    """A recipe that kills whoever carries it out, as one does that runs out of memory."""

    def load(self) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


def test_workers_that_die_while_they_load_the_model_are_one_sentence(
    source: Path, tmp_path: Path, cluster: Any
) -> None:
    with pytest.raises(PellucidError, match="each worker of the cluster that loads the model dies"):
        explained(source, tmp_path / "out", dask(cluster, TooLarge()))


@pytest.mark.parametrize("where", ["processes", "cluster"])
def test_a_model_that_cannot_be_loaded_is_said_once(
    source: Path, tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    cluster = request.getfixturevalue("cluster") if where == "cluster" else None
    recipe = Unloadable()
    two = processes(recipe=recipe) if cluster is None else dask(cluster, recipe)
    with pytest.raises(PellucidError, match="no such model"):
        explained(source, tmp_path / "out", two)


def test_a_scheduler_that_does_not_answer_is_said_not_to(source: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there, nor can
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        nobody = on_cluster(Made(), threading.Event(), fail, address=address, seconds=1)
        with pytest.raises(PellucidError, match=f"{address}: no scheduler answers there"):
            explained(source, tmp_path / "out", nobody)
