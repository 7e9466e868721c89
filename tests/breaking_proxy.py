"""A server that passes requests on to another one, until a counted one: there it breaks.

All requests are counted from 1. At a number, nothing goes on any more until the test says so
(`HOLD_BEFORE`, `HOLD_AFTER` the request has been passed on), the connection is reset (`CUT_BEFORE`,
`CUT_AFTER`, `CUT_WITHIN` the answer), or the server is busy (`BUSY`).
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOLD_BEFORE, HOLD_AFTER = "hold before", "hold after"
CUT_BEFORE, CUT_AFTER, CUT_WITHIN, BUSY = "cut before", "cut after", "cut within", "busy"
_SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>"


class BreakingProxy:
    """A proxy at `url`; `asked` has what it was asked for, and `breaks` where it breaks."""

    def __init__(self, server: str) -> None:
        self.server = urlsplit(server).netloc
        self.asked: list[str] = []
        self.breaks: Mapping[int, str] = {}
        self.held = threading.Event()
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._times = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy._pass_on(self)

            do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def starts_over(self, breaks: Mapping[int, str]) -> None:
        """Count anew, and let go of whoever is held, who hears nothing any more."""
        with self._changed:
            self._times += 1
            self.asked, self.breaks = [], breaks
            self.held.clear()
            self._changed.notify_all()

    def _pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        body = _body(handler)
        with self._lock:
            times = self._times
            self.asked.append(f"{handler.command} {handler.path}")
            broken = self.breaks.get(len(self.asked), "")
            if broken.startswith("hold"):
                self.held.set()
            holds = self.held.is_set()
        if broken == CUT_BEFORE:
            _cut(handler)
            return
        if broken == BUSY:
            handler.send_response(503)
            handler.send_header("Content-Length", str(len(_SLOW_DOWN)))
            handler.end_headers()
            if handler.command != "HEAD":
                handler.wfile.write(_SLOW_DOWN)
            return
        if holds and broken != HOLD_AFTER:
            self._hold(handler, times)
            return
        status, headers, answer = self._ask(handler, body)
        if broken == HOLD_AFTER:
            self._hold(handler, times)
        elif broken == CUT_AFTER:
            _cut(handler)
        else:
            handler.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("connection", "transfer-encoding"):
                    handler.send_header(name, value)
            if not any(name.lower() == "content-length" for name, _ in headers):
                handler.send_header("Content-Length", str(len(answer)))
            handler.end_headers()
            handler.wfile.write(answer[: len(answer) // 2] if broken == CUT_WITHIN else answer)
            if broken == CUT_WITHIN:
                handler.wfile.flush()
                _cut(handler)

    def _ask(
        self, handler: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.server, timeout=600)
        try:
            connection.putrequest(
                handler.command, handler.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in handler.headers.items():
                if name.lower() not in ("connection", "expect", "transfer-encoding"):
                    connection.putheader(name, value)
            if body and "Content-Length" not in handler.headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            found = connection.getresponse()
            return found.status, found.getheaders(), found.read()
        finally:
            connection.close()

    def _hold(self, handler: BaseHTTPRequestHandler, times: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._times != times)
        _cut(handler)


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if "chunked" not in handler.headers.get("Transfer-Encoding", ""):
        return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    parts = []
    while size := int(handler.rfile.readline().partition(b";")[0], 16):
        parts.append(handler.rfile.read(size))
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass
    return b"".join(parts)


def _cut(handler: BaseHTTPRequestHandler) -> None:
    """Reset a connection."""
    handler.close_connection = True
    with suppress(OSError):
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.connection.shutdown(socket.SHUT_RD)
        handler.wfile.close()
        handler.rfile.close()
        handler.connection.close()


@contextmanager
def breaking_proxy(server: str) -> Iterator[BreakingProxy]:
    """Pass requests on to a server until the end of the block."""
    proxy = BreakingProxy(server)
    thread = threading.Thread(target=proxy._server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.starts_over({})
        proxy._server.shutdown()
        proxy._server.server_close()
        thread.join()
