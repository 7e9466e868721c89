"""Groups go to whoever is free, and come back in their order, whoever is slow."""

from __future__ import annotations

import threading
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pellucid.judges.processes import _judged, _Worker


def test_one_slow_process_stops_nobody_for_ever() -> None:
    """While it has the first group, the other finds as many as may be found ahead of it."""
    ahead = threading.Event()

    def slow(connection: Connection) -> None:
        number, group = connection.recv()
        assert ahead.wait(60)
        connection.send((number, group))
        answer(connection)

    def fast(connection: Connection) -> None:
        for _ in range(3):
            number, group = connection.recv()
            connection.send((number, group))
        ahead.set()
        answer(connection)

    def answer(connection: Connection) -> None:
        try:
            while True:
                connection.send(connection.recv())
        except (EOFError, OSError):
            return

    workers: list[Any] = []
    threads = []
    for serve in (slow, fast):
        ours, theirs = Pipe()
        child: Any = SimpleNamespace(connection=ours)
        workers.append(_Worker(child))
        threads.append(threading.Thread(target=serve, args=(theirs,), daemon=True))
        threads[-1].start()
    groups: Any = [[(number, f"group {number}")] for number in range(9)]
    assert [*_judged(workers, groups, Path("model"))] == groups
    for worker in workers:
        worker.child.connection.close()
    for thread in threads:
        thread.join()
