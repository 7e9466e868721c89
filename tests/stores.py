"""Stores for tests: that of ``memory://``, and a server of S3, moto's, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SERVER = """
import logging, sys, threading
logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def memory_store() -> Iterator[Any]:
    """Yield the store of ``memory://``, which is empty before and after."""
    import fsspec

    store = fsspec.filesystem("memory")

    def clear() -> None:
        store.store.clear()
        store.pseudo_dirs[:] = [""]

    clear()
    yield store
    clear()


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Yield the environment in which ``s3://`` is that server, until the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        port = int(process.stdout.readline())
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        process.stdin.close()
        process.wait()
