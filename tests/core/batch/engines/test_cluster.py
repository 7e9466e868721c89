"""A cluster leaves the bytes of one process; workers, clients and the scheduler may go."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from carried import Killing, dask, explained, fail
from made import Made, MadeWork, engine

from clusters import local_cluster
from pellucid.batch import Run
from pellucid.batch.engines.cluster import LOST, _asking, _silent, on_cluster
from pellucid.errors import PellucidError
from pellucid.notices import Message
from waiting import until


def test_killing_a_worker_of_the_cluster_in_the_middle_loses_nothing(
    source: Path, tmp_path: Path, cluster: Any
) -> None:
    alone = explained(source, tmp_path / "one", engine())
    killing = Killing(
        lambda: os.kill(next(iter(cluster.workers.values())).process.process.pid, signal.SIGKILL)
    )
    assert explained(source, tmp_path / "two", dask(cluster), killing) == alone
    assert killing.finished == 17


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
            until(lambda: not Client.current().nthreads())

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
            until(lambda: not Client.current().nthreads())
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

    until(lambda: not models())


def test_a_scheduler_that_is_silent_itself_is_said_to_be() -> None:
    class Stuck:
        scheduler = SimpleNamespace(ncores=None)

        def sync(self, *_: object, **__: object) -> None:
            raise TimeoutError

    assert _silent(Stuck(), 60).sentence() == (
        "no worker has answered for 60 s, nor does the scheduler; is it still there?"
    )


class TooLarge:
    """A recipe that kills whoever carries it out, as one does that runs out of memory."""

    def load(self) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


def test_workers_that_die_while_they_load_the_model_are_one_sentence(
    source: Path, tmp_path: Path, cluster: Any
) -> None:
    with pytest.raises(PellucidError, match="each worker of the cluster that loads the model dies"):
        explained(source, tmp_path / "out", dask(cluster, TooLarge()))


def test_a_scheduler_that_does_not_answer_is_said_not_to(source: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there, nor can
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        nobody = on_cluster(Made(), threading.Event(), fail, address=address, seconds=1)
        with pytest.raises(PellucidError, match=f"{address}: no scheduler answers there"):
            explained(source, tmp_path / "out", nobody)
