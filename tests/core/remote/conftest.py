"""A store in memory and a server of the web, both empty when a test begins."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stores import memory_store


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ask again without a pause, and keep copies where the test does."""
    monkeypatch.setattr("pellucid.remote.stores.PAUSES", (0.0, 0.0))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def memory() -> Iterator[Any]:
    """The store of ``memory://``."""
    with memory_store() as store:
        yield store


class Web:
    """A server whose answers a test lists: a status and a body, or a length that is not true."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, bytes, int | None]]] = {}
        self.asked: list[str] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(f"{self.command} {self.path}")
                answers = web.answers.get(self.path, [(404, b"", None)])
                status, body, length = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) if length is None else length))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)
                self.close_connection = True

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self.server.server_port}"

    def tells(self, path: str, *answers: tuple[int, bytes] | tuple[int, bytes, int]) -> str:
        """Give these answers, the last again and again; return the address."""
        self.answers[path] = [(it[0], it[1], it[2] if len(it) > 2 else None) for it in answers]
        return self.root + path


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()
