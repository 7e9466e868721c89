"""A cluster for tests: a scheduler and its workers on this machine, however busy that is."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATIENT = {
    # Dask gives a worker that has died 15 seconds to come back, and then does without it. Who
    # connects tries for all of its time, and that to a worker that is dead as well, if it died with
    # a result that is being fetched: so its time is short.
    "distributed.comm.timeouts.connect": "30 s",
    "distributed.deploy.lost-worker-timeout": "10 minutes",
    "distributed.scheduler.worker-ttl": None,
    # Whoever kills workers costs one more with each that tries.
    "distributed.scheduler.allowed-failures": 1,
    # Each worker is a copy of one process that has imported Dask and TensorFlow.
    "distributed.worker.multiprocessing-method": "forkserver",
}


@contextmanager
def local_cluster(workers: int, threads: int = 1) -> Iterator[Any]:
    from dask import config
    from distributed import LocalCluster
    from distributed.utils import get_mp_context

    with config.set(PATIENT):
        get_mp_context()  # says once, for all clusters, what is imported: Dask alone
        imported = ["distributed", "pellucid.runtime.engine.tensorflow"]
        multiprocessing.set_forkserver_preload(imported)
        with LocalCluster(
            n_workers=workers,
            threads_per_worker=threads,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            env=dict(os.environ),  # that of now, not of when the first worker was started
        ) as cluster:
            yield cluster
