"""A proxy that passes requests on to a service, and keeps what was asked and answered.

What it passes on is what came, byte for byte: headers too, but for those of the connection itself.
Redirects are the client's to follow.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import sys
import zlib
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from urllib.parse import urlsplit

import urllib3
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from pellucid.errors import SpecError
from pellucid.notices import Where
from pellucid.predictor import reason_of
from pellucid.responses import encode
from pellucid.serve.auth import Guard
from pellucid.serve.http_errors import HttpError
from pellucid.serve.recording import Recorder

CONNECT_SECONDS, READ_SECONDS = 10.0, 600.0
TOGETHER = 32
"""So many requests are passed on at a time; others wait."""
LARGEST = 2**28
"""No body may have more bytes."""
HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade", "host", "content-length",
    }
)  # fmt: skip
"""Headers of a connection, not of what is sent on it (RFC 9110, 7.6.1); and the two that follow."""


class Proxy:
    """Passes requests on to `target`, a URL, whose path goes before theirs: an ASGI application.

    Raises SpecError for what is no URL of a service.
    """

    def __init__(self, target: str, recorder: Recorder, guard: Guard) -> None:
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            hint = "write it as in https://eu-aiplatform.example.com"
            raise SpecError("is no URL of a service", where=Where(name=target), hint=hint)
        if parts.username or parts.query or parts.fragment:
            what = "has a user, a query or a fragment, which a service's URL has not"
            raise SpecError(what, where=Where(name=f"{parts.scheme}://{parts.hostname}"))
        self.target = target.rstrip("/")
        self._recorder, self._guard = recorder, guard
        self._threads = ThreadPoolExecutor(TOGETHER, thread_name_prefix="proxy")
        self._pool = urllib3.PoolManager(
            maxsize=TOGETHER, block=True, retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        )  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        hosts = request.headers.getlist("host")
        try:
            self._guard.check_host(hosts, str(request.scope["http_version"]))
            body = await _body(request)
        except HttpError as error:
            return _error(error.status, error.message)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE)
        path = request.scope["raw_path"].decode("latin-1")
        query = request.scope["query_string"].decode("latin-1")
        url = f"{self.target}{path}{'?' if query else ''}{query}"
        headers = urllib3.HTTPHeaderDict(
            [(name, value) for name, value in request.headers.items() if name not in HOP]
        )
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._threads, self._ask, request.method, url, headers, body
            )
        except HTTPError as error:
            return _error(*self._failed(error))
        if request.method == "POST":
            await loop.run_in_executor(
                self._threads, self._keep, path, _plain(body, request.headers), found
            )
        made = Response(found.data, found.status)
        made.raw_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in found.headers.items()
            if name.lower() not in HOP
        ]
        made.raw_headers.append((b"content-length", str(len(found.data)).encode()))
        return made

    def _failed(self, error: HTTPError) -> tuple[int, str]:
        """Return the status and the sentence of a service that gives no answer."""
        if isinstance(error, NewConnectionError | ConnectTimeoutError):
            return HTTPStatus.BAD_GATEWAY, f"{self.target} cannot be reached: {reason_of(error)}"
        if isinstance(error, ReadTimeoutError):
            what = f"{self.target} does not answer within {READ_SECONDS:g} s"
            return HTTPStatus.GATEWAY_TIMEOUT, what
        if isinstance(error, SSLError):
            what = f"the certificate or the TLS of {self.target} cannot be trusted"
            return HTTPStatus.BAD_GATEWAY, f"{what}: {reason_of(error)}"
        return HTTPStatus.BAD_GATEWAY, f"{self.target} breaks off its answer: {reason_of(error)}"

    def _ask(
        self, method: str, url: str, headers: urllib3.HTTPHeaderDict, body: bytes
    ) -> urllib3.BaseHTTPResponse:
        """Return what the service answers, as it came: it may be compressed."""
        found = self._pool.request(
            method, url, headers=headers, body=body or None, redirect=False, decode_content=False
        )
        return found

    def _keep(self, path: str, asked: bytes | None, found: urllib3.BaseHTTPResponse) -> None:
        said = _plain(found.data, found.headers)
        if asked is not None and said is not None:
            self._recorder.take(path, asked, found.status, said)


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST:
            what = f"the request has more than {LARGEST:,} bytes"
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, what)
        parts.append(part)
    return b"".join(parts)


def _plain(body: bytes, headers: Mapping[str, str]) -> bytes | None:
    """Return a body without its compression; None where that is another than gzip or deflate."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    try:
        if encoding in ("", "identity"):
            return body
        if encoding == "gzip":
            return gzip.decompress(body)
        if encoding == "deflate":
            return zlib.decompress(body)
    except (OSError, EOFError, zlib.error):
        return None
    return None


def _error(status: int, said: str) -> Response:
    body = encode({"error": said}, indent=False)
    return Response(body, status, media_type="application/json")


def run_proxy(
    proxy: Proxy,
    listening: socket.socket,
    *,
    on_start: Callable[[Callable[[], None]], None] = lambda end: None,
) -> bool:
    """Pass requests on until SIGTERM or SIGINT; return whether it was SIGINT."""
    from pellucid.serve.server import KEEP_ALIVE, EndingServer

    config = uvicorn.Config(
        proxy, access_log=False, log_config=None, ws="none", lifespan="off", proxy_headers=False,
        server_header=False, date_header=False, timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=30,
    )  # fmt: skip
    server = EndingServer(config, lambda: None)
    on_start(server.end)
    work: Awaitable[None] = server.serve(sockets=[listening])
    if sys.platform == "win32":
        asyncio.run(_done(work))
    else:
        import uvloop

        uvloop.run(_done(work))
    return server.interrupted


async def _done(work: Awaitable[None]) -> None:
    await work
