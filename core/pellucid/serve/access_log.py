"""One line of JSON for each request: who asked what, and how it went; never what was sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timezone

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pellucid.serve.metrics import Metrics


@dataclass(slots=True)
class Visit:
    """What is known of one request; the handlers fill in what they learn."""

    time: str
    client: str | None
    method: str
    path: str
    status: int = 0
    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    protocol: str | None = None
    verb: str | None = None
    model: str | None = None
    instances: int | None = None
    error: str | None = None


_NAMES = tuple(field.name for field in fields(Visit))
VISIT = "pellucid.visit"
"""The key of a scope under which the visit is."""


class AccessLog:
    """Wraps an application: notes each request, for the log and for the metrics."""

    def __init__(self, app: ASGIApp, metrics: Metrics, write: Callable[[bytes], object]) -> None:
        self._app = app
        self._metrics = metrics
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        client = scope.get("client")
        visit = Visit(
            time=_now(),
            client=client[0] if client else None,
            method=scope["method"],
            path=scope["path"][:500],
        )
        scope[VISIT] = visit

        async def received() -> Message:
            message = await receive()
            visit.bytes_in += len(message.get("body", b""))
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                # One whose client has gone keeps the number that says so.
                visit.status = visit.status or message["status"]
            visit.bytes_out += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, received, sent)
        finally:
            visit.seconds = round(time.perf_counter() - started, 6)
            self._metrics.seconds.labels(visit.protocol or "none", visit.verb or "").observe(
                visit.seconds
            )
            self._note(visit)

    def refused(self, client: tuple[str, int] | None, status: int, error: str) -> None:
        """Note what never became a request."""
        host = client[0] if client else None
        visit = Visit(time=_now(), client=host, method="", path="", status=int(status), error=error)
        self._note(visit)

    def _note(self, visit: Visit) -> None:
        known = visit.protocol or "none"
        # What is not served has no label of its own, or anybody could make up any number of them.
        self._metrics.requests.labels(
            known, visit.verb or "", visit.model or "", str(visit.status)
        ).inc()
        line = {name: value for name in _NAMES if (value := getattr(visit, name)) is not None}
        self._write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
