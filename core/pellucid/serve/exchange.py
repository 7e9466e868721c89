"""The way of one request, the same for every protocol: admitted, read, computed, answered."""

from __future__ import annotations

import asyncio
import json
import math
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pellucid.errors import PellucidError, SpecError
from pellucid.explanations import Explanations
from pellucid.instances import Instance, read_request
from pellucid.loaded_model import LoadedModel
from pellucid.request_json import parse_json
from pellucid.response import encode, predictions
from pellucid.serve.access_log import VISIT, Visit
from pellucid.serve.device import Device
from pellucid.serve.limits import Limits
from pellucid.serve.metrics import Metrics
from pellucid.serve.protocols.protocol import Protocol, Target
from pellucid.serve.refusal import CLIENT_GONE, Refusal, refusal_of
from pellucid.serve.security import Guard
from pellucid.serve.shelf import Loaded, Shelf

T = TypeVar("T")

TIMEOUTS = {"x-server-timeout": 1.0, "x-envoy-expected-rq-timeout-ms": 0.001}
"""Headers in which clients and proxies say how long they wait, and their unit in seconds."""


@dataclass(frozen=True, slots=True)
class Read:
    """A request that was understood: its instances, and the model as it wants it explained.

    `key` is the same for requests that can be computed together, `most` how many instances at once.
    """

    instances: tuple[Instance, ...]
    model: LoadedModel
    key: object
    most: int


class Exchange:
    """Answers requests; `draining` is set when no more are to be taken."""

    def __init__(
        self, shelf: Shelf, device: Device, limits: Limits, guard: Guard, metrics: Metrics
    ) -> None:
        self.shelf = shelf
        self.device = device
        self.limits = limits
        self.guard = guard
        self.metrics = metrics
        self.draining = False
        self._admitted = 0
        self._bytes = 0
        # Reading and writing JSON and pictures; the event loop has to stay free for probes.
        self._clerks = ThreadPoolExecutor(max(2, os.cpu_count() or 2), thread_name_prefix="clerk")

    def close(self) -> None:
        """Let the threads end."""
        self._clerks.shutdown(wait=False, cancel_futures=True)

    async def answer(
        self,
        request: Request,
        protocol: Protocol,
        handle: Callable[[bytes], Any],
    ) -> Response:
        """Return what `handle`, given the body, makes of a request, in time, or why not.

        `handle` is a coroutine function that returns the bytes of a JSON document. Whatever
        PellucidError or Refusal it raises is written as the protocol writes errors.
        """
        visit: Visit = request.scope[VISIT]
        try:
            self.guard.check(request.headers)
            deadline = time.monotonic() + self._seconds(request)
            async with self._place(request, protocol):
                body = await self._body(request, deadline)
                data = await self._in_time(request, handle(body), deadline)
            return Response(data, media_type="application/json")
        except (PellucidError, Refusal) as error:
            refusal = error if isinstance(error, Refusal) else refusal_of(error)
            visit.error = refusal.message[:500]
            if refusal.status == CLIENT_GONE:
                visit.status = CLIENT_GONE
                return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE)
            status, document = protocol.refused(refusal)
            return Response(
                encode(document, indent=False),
                status,
                headers=refusal.headers,
                media_type="application/json",
            )

    async def ask(self, request: Request, protocol: Protocol, target: Target) -> Response:
        """Answer ``:explain`` or ``:predict``."""

        async def handle(body: bytes) -> bytes:
            visit: Visit = request.scope[VISIT]
            loaded = await self.shelf.find(target.model, target.version)
            visit.model = target.model
            try:
                self.device.expected += 1
                read = await self.clerk(self.read, body, loaded, protocol, target)
            finally:
                self.device.expected -= 1
            visit.instances = len(read.instances)
            if target.verb == "predict":
                answers = await self.device.ask(
                    read.key, read.model.predict, read.instances, read.most
                )
                document = protocol.predicted(predictions(answers), target)
                return await self.clerk(lambda: encode(document, indent=False))
            explanations = await self.explain(read)
            return await self.clerk(
                lambda: encode(protocol.explained(explanations, target), indent=False)
            )

        return await self.answer(request, protocol, handle)

    async def explain(self, read: Read) -> Explanations:
        """Return the explanations of a request."""
        model = read.model

        def ask(instances: list[Instance]) -> Sequence[Any]:
            return model.explain(instances).items

        items = await self.device.ask(read.key, ask, read.instances, read.most)
        return Explanations(tuple(items), read.instances, model.metadata, model.parameters)

    def read(self, body: bytes, loaded: Loaded, protocol: Protocol, target: Target) -> Read:
        """Return what a body asks for. Raises InstanceError, SpecError and Refusal."""
        document = parse_json(body, None)
        instances = document.get("instances") if isinstance(document, dict) else None
        if isinstance(instances, list):
            self.limits.check_count(len(instances))  # before any of them is looked at
        request = read_request(document, loaded.model.inputs, beside=loaded.model.beside)
        signature = request.parameters.get("signature_name")
        if signature not in (None, "", loaded.model.signature):
            raise SpecError(
                f"signature_name: this server explains '{loaded.model.signature}' of the model"
            )
        own = {k: v for k, v in request.parameters.items() if k in protocol.override}
        model = protocol.configured(loaded.model, own) if target.verb == "explain" else loaded.model
        most = self.limits.check(
            request.instances, model.parameters, loaded.model.parameters, loaded.outputs
        )
        key = (loaded.generation, target.verb, protocol.name if own else "", _canonical(own))
        return Read(request.instances, model, key, most)

    async def clerk(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a function returns that would hold up the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._clerks, function, *arguments)

    @asynccontextmanager
    async def _place(self, request: Request, protocol: Protocol) -> AsyncIterator[None]:
        """Hold one of the places for requests that are being answered, or refuse it."""
        if self.draining:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the server is going down", retry_after=5)
        if self._admitted >= self.limits.queue or self._bytes > self.limits.bodies:
            await self._discard(request)
            wait = min(60, math.ceil(max(1.0, self.device.seconds_to_wait)))
            raise Refusal(
                protocol.full,
                f"{self._admitted} requests are waiting already; come again in {wait} s",
                retry_after=wait,
            )
        self._admitted += 1
        self.metrics.admitted.inc()
        try:
            yield
        finally:
            self._admitted -= 1
            self.metrics.admitted.dec()

    async def _body(self, request: Request, deadline: float) -> bytes:
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Refusal(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body is compressed; send it as it is"
            )
        size = 0

        async def read() -> bytes:
            nonlocal size
            parts: list[bytes] = []
            async for part in request.stream():
                size += len(part)
                self._bytes += len(part)
                parts.append(part)
                if size > self.limits.body:
                    parts.clear()
                    await self._discard(request)
                    raise self._too_large()
            return b"".join(parts)

        try:
            return await asyncio.wait_for(read(), max(0.0, deadline - time.monotonic()))
        except ClientDisconnect:
            raise Refusal(CLIENT_GONE, "the client went away") from None
        except (asyncio.TimeoutError, TimeoutError):  # one and the same from Python 3.11 on
            raise Refusal(
                HTTPStatus.REQUEST_TIMEOUT, "the body of the request did not come in time"
            ) from None
        finally:
            self._bytes -= size

    async def _discard(self, request: Request) -> None:
        """Read what is still coming, up to a point: who is still sending does not see an answer."""
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > 4 * self.limits.body:
            raise self._too_large()
        left = 4 * self.limits.body
        try:
            async for part in request.stream():
                left -= len(part)
                if left < 0:
                    break
        except (ClientDisconnect, RuntimeError):
            pass  # it has gone, or everything has come

    def _too_large(self) -> Refusal:
        return Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the request has more than {self.limits.body:,} bytes; send fewer instances at a time",
        )

    async def _in_time(self, request: Request, work: Any, deadline: float) -> bytes:
        """Return the result of `work`, unless the deadline or the client's going come first."""
        job = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            left = max(0.0, deadline - time.monotonic())
            await asyncio.wait({job, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if job.done():
                data: bytes = job.result()
                return data
            if gone.done():
                raise Refusal(CLIENT_GONE, "the client went away")
            raise Refusal(
                HTTPStatus.GATEWAY_TIMEOUT,
                f"not computed within {self._seconds(request):g} s; send fewer instances, or ask "
                "for fewer steps or samples",
            )
        finally:
            for task in (job, gone):
                task.cancel()
            await asyncio.wait({job, gone})

    def _seconds(self, request: Request) -> float:
        """Return how long a request may take: the server's limit, or less if the client says so."""
        seconds = self.limits.seconds
        for header, unit in TIMEOUTS.items():
            written = request.headers.get(header)
            if written is None:
                continue
            try:
                wanted = float(written) * unit
            except ValueError:
                wanted = math.nan
            if not wanted > 0:
                raise Refusal(
                    HTTPStatus.BAD_REQUEST, f"the header {header} must be a number above 0"
                )
            seconds = min(seconds, wanted)
        return seconds


async def _disconnected(request: Request) -> None:
    """Return when the client has gone; the body has been read, so nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _canonical(settings: dict[str, object]) -> str:
    return json.dumps(settings, sort_keys=True) if settings else ""
