"""HTTP to one predictor: connections that are kept, retries, and an end that reaches what waits.

urllib3 does the talking: its connections are shared by threads and kept alive, it checks
certificates and whether an answer is whole, and needs no other package.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from pellucid.cancellation import Cancelled
from pellucid.errors import PredictorError
from pellucid.files import check_regular
from pellucid.predictor.reasons import reason_of
from pellucid.predictor.settings import Predictor

CONNECT_SECONDS = 5.0
BROKEN_TRIES, BUSY_TRIES = 4, 6
"""How often a request is sent, in all: when no answer comes, and when the predictor is busy."""
BUSY = (429, 503)
LARGEST_ANSWER = 2**26
_CHUNK = 2**16


Body: TypeAlias = bytes | Sequence[bytes | memoryview]
"""A request's body, whole or in parts that are sent one after the other from where they lie."""


class TooLargeError(Exception):
    """The request or its answer is larger than the other side takes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: its status, its headers, and the whole of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Call:
    """A request that whoever waits for it may abandon from another thread."""

    def __init__(self) -> None:
        self.late = False
        self._abandoned = threading.Event()
        self._deadline = float("inf")
        self._connection: HTTPConnection | None = None

    def begin(self, seconds: float) -> None:
        """Start the clock of one request."""
        self._deadline = time.monotonic() + seconds

    def end(self) -> None:
        """Stop it: what is done now is not the predictor's."""
        self._deadline = float("inf")

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return self._deadline - time.monotonic()

    @property
    def abandoned(self) -> bool:
        return self._abandoned.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait, unless the call is abandoned meanwhile."""
        self._abandoned.wait(min(seconds, max(0.0, self.left)))

    def on(self, connection: HTTPConnection) -> None:
        """Note the connection that the request is sent on."""
        self._connection = connection

    def abandon(self, *, late: bool = False) -> None:
        """Have the predictor see that nobody waits: its connection is shut down."""
        self.late = late
        self._abandoned.set()
        found = None if self._connection is None else self._connection.sock
        if found is not None:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)


_here = threading.local()


class _Noted(HTTPConnection):
    def request(self, *args: Any, **named: Any) -> None:
        _here.call.on(self)
        super().request(*args, **named)


class _NotedTls(HTTPSConnection):
    def request(self, *args: Any, **named: Any) -> None:
        _here.call.on(self)
        super().request(*args, **named)


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Noted


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _NotedTls


class Connection:
    """The connections to one predictor; any thread may use them."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        parts = urlsplit(predictor.base)
        self._prefix = parts.path
        host, most = parts.hostname or "", predictor.connections
        if parts.scheme == "https":
            ca_file = None if predictor.ca_file is None else str(predictor.ca_file)
            if ca_file is not None:
                check_regular(ca_file)
            self._pool: urllib3.HTTPConnectionPool = _TlsPool(
                host, parts.port, maxsize=most, cert_reqs="CERT_REQUIRED", ca_certs=ca_file
            )
        else:
            self._pool = _Pool(host, parts.port, maxsize=most)

    def ask(
        self,
        call: Call,
        path: str,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to a GET, or to a POST of `body`, whatever its status.

        What fails on its way, or meets a predictor that is busy (429, 503), is sent again after a
        while: predictions change nothing. Raises PredictorError, Cancelled, TooLargeError.
        """
        sent = {"Accept": "application/json", **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            sent["Content-Length"] = str(sum(map(len, body)))
        token = self.predictor.token()
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        call.begin(self.predictor.timeout)
        broken = busy = 0
        while True:
            try:
                answer = self._once(call, path, body, sent)
            except (HTTPError, OSError) as error:
                broken += 1
                self._judge(call, error, broken)
                call.sleep(0.1 * 2 ** (broken - 1) if broken > 1 else 0.0)
                continue
            busy += answer.status in BUSY
            if answer.status not in BUSY or busy == BUSY_TRIES:
                call.end()
                return answer
            wait = _seconds(answer.headers.get("Retry-After")) or 0.2 * 2 ** (busy - 1)
            if wait >= call.left:
                call.end()
                return answer
            call.sleep(wait)

    def _once(self, call: Call, path: str, body: Body | None, headers: Mapping[str, str]) -> Answer:
        if call.abandoned:
            raise self._left(call)
        _here.call = call
        left = max(0.001, call.left)
        sent: Any = body  # parts that lie in memory are sent as well as bytes
        response = self._pool.urlopen(
            "GET" if body is None else "POST",
            self._prefix + path,
            body=sent,
            headers=dict(headers),
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, left), read=left),
            preload_content=False,
        )
        parts, size = list[bytes](), 0
        try:
            while part := response.read(_CHUNK, decode_content=True):
                size += len(part)
                if size > LARGEST_ANSWER:
                    response.close()
                    raise TooLargeError(f"its answer has more than {LARGEST_ANSWER:,} bytes")
                parts.append(part)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return Answer(response.status, response.headers, b"".join(parts))

    def _judge(self, call: Call, error: Exception, tries: int) -> None:
        """Raise what is wrong, unless it is worth another try."""
        if call.abandoned:
            raise self._left(call) from error
        if isinstance(error, ReadTimeoutError) or call.left <= 0:
            raise self._late() from error
        if isinstance(error, SSLError):
            what = "its certificate or its TLS cannot be trusted: " + reason_of(error)
            raise PredictorError(what, where=self.predictor.where) from error
        if tries < BROKEN_TRIES:
            return
        if isinstance(error, DecodeError):
            what = "says that its answers are compressed, and they cannot be unpacked"
            raise PredictorError(what, answered=True, where=self.predictor.where) from error
        unreachable = isinstance(error, NewConnectionError | ConnectTimeoutError)
        what = "cannot be reached: " if unreachable else "breaks off its answers: "
        raise PredictorError(what + reason_of(error), where=self.predictor.where) from error

    def _left(self, call: Call) -> Exception:
        return self._late() if call.late else Cancelled()

    def _late(self) -> PredictorError:
        what = f"does not answer within {self.predictor.timeout:g} s"
        return PredictorError(what, late=True, where=self.predictor.where)


def _seconds(retry_after: str | None) -> float:
    written = (retry_after or "").strip()
    return float(written) if written.isdecimal() and len(written) < 6 else 0.0
