"""The way of one request, the same for every protocol: admitted, read, computed, answered."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pellucid.api import Explanations, LoadedModel
from pellucid.errors import InstanceError, PellucidError, SpecError
from pellucid.inputs import Beside, Instance, kind_of, parse_json, read_request
from pellucid.metadata import ExplanationMetadata
from pellucid.model import Rows
from pellucid.notices import Where
from pellucid.open_inference import HEADER_LENGTH
from pellucid.responses import encode, predictions
from pellucid.serve.access_log import VISIT, Visit
from pellucid.serve.auth import Guard
from pellucid.serve.batcher import Batcher
from pellucid.serve.connection import WHOLE, Body
from pellucid.serve.deadline import Deadline
from pellucid.serve.http_errors import CLIENT_GONE, HttpError, http_error_of
from pellucid.serve.limits import Limits
from pellucid.serve.metrics import Metrics
from pellucid.serve.model_repository import Loaded, ModelRepository
from pellucid.serve.offload import OffloadPool
from pellucid.serve.protocols.columns import columns_of, from_grid, rows_of
from pellucid.serve.protocols.protocol import Protocol, Target
from pellucid.serve.recording import Recorder

TIMEOUTS = {"x-server-timeout": 1.0, "x-envoy-expected-rq-timeout-ms": 0.001}
"""Headers in which clients and proxies say how long they wait, and their unit in seconds."""
LARGE = 2**17
"""A body of so many bytes is read into one place, and predicted beside no other."""


@dataclass(frozen=True, slots=True)
class Read:
    """A request that was understood: its instances, and the model as it wants it explained.

    `key` is the same for requests that can be computed together, `most` how many instances at once.
    `columns` tells that what was asked in columns is answered in columns.
    """

    instances: tuple[Instance, ...]
    model: LoadedModel
    key: object
    most: int
    columns: bool = False


class Handler:
    """Answers requests; `draining` is set when no more are to be taken."""

    def __init__(
        self,
        repository: ModelRepository,
        batcher: Batcher,
        limits: Limits,
        guard: Guard,
        metrics: Metrics,
        recorder: Recorder | None = None,
    ) -> None:
        self.recorder = recorder
        self.repository = repository
        self.batcher = batcher
        self.limits = limits
        self.guard = guard
        self.metrics = metrics
        self.draining = False
        self._receiving = 0
        self._admitted = 0
        self._bytes = 0
        self.offload = OffloadPool()
        metrics.receiving.set_function(lambda: self._receiving)
        metrics.admitted.set_function(lambda: self._admitted)

    def close(self) -> None:
        """Let the threads end."""
        self.offload.close()

    async def answer(
        self,
        request: Request,
        protocol: Protocol,
        handle: Callable[[Body], Awaitable[bytes]],
    ) -> Response:
        """Return what `handle`, given the body, makes of a request, in time, or why not.

        `handle` is a coroutine function that returns the bytes of a JSON document. Whatever
        PellucidError or HttpError it raises is written as the protocol writes errors.
        """
        visit: Visit = request.scope[VISIT]
        try:
            self.guard.check(request.headers)
            seconds = self._seconds(request)
            started = time.monotonic()
            body = await self._received(request, protocol, seconds)
            left = seconds - (time.monotonic() - started)
            with (
                self._place(len(body)),
                Deadline(left, lambda: self._late(visit, seconds)) as deadline,
            ):
                deadline.watch(request)
                data = await handle(body)
            await self._record(request, body, data)
            return Response(data, media_type="application/json")
        except (PellucidError, HttpError) as error:
            http_error = error if isinstance(error, HttpError) else http_error_of(error)
            visit.error = http_error.message[:500]
            if http_error.status == CLIENT_GONE:
                visit.status = CLIENT_GONE
                return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE)
            status, document = protocol.refused(http_error)
            return Response(
                encode(document, indent=False),
                status,
                headers=http_error.headers,
                media_type="application/json",
            )

    def _late(self, visit: Visit, seconds: float) -> HttpError:
        found = self.repository.models.get(visit.model or "")
        loaded = None if found is None else found.default.loaded
        predictor = None if loaded is None else loaded.model.compiler.predictor
        what = "not computed"
        if predictor is not None:
            what = f"{predictor.where}: does not answer all that is asked of it"
        return HttpError(
            HTTPStatus.GATEWAY_TIMEOUT,
            f"{what} within {seconds:g} s; send fewer instances, or ask for fewer steps or samples",
        )

    async def _record(self, request: Request, body: Body, data: bytes) -> None:
        """Keep an answer with its request, if that is asked for."""
        recorder = self.recorder
        if recorder is not None and request.method == "POST":
            path = request.url.path
            await self.offload.do(
                len(body) + len(data), lambda: recorder.take(path, bytes(body), HTTPStatus.OK, data)
            )

    @contextmanager
    def _place(self, size: int) -> Iterator[None]:
        """Take a place for a body that is there; whoever sends one slowly takes nobody's."""
        self._bytes += size
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1
            self._bytes -= size

    async def ask(self, request: Request, protocol: Protocol, target: Target) -> Response:
        """Answer ``:explain`` or ``:predict``."""

        async def handle(body: Body) -> bytes:
            visit: Visit = request.scope[VISIT]
            loaded = await self.repository.find(target.model, target.version)
            visit.model = target.model
            try:
                self.batcher.expected += 1
                read = await self.offload.do(
                    len(body), lambda: self.read(body, loaded, protocol, target)
                )
            finally:
                self.batcher.expected -= 1
            visit.instances = len(read.instances)
            if target.verb == "predict":
                answers = await self.batcher.ask(
                    read.key,
                    read.model.predict,
                    read.instances,
                    read.most,
                    alone=len(body) >= LARGE,
                )
                rows = predictions(answers)
                document = columns_of(rows) if read.columns else protocol.predicted(rows, target)
                return await self.offload.do(len(body), lambda: encode(document, indent=False))
            explanations = await self.explain(read)
            labels = [label for explanation in explanations for label in explanation.labels]
            size = sum(values.nbytes for label in labels for values in label.values.values())
            return await self.offload.do(
                size, lambda: encode(protocol.explained(explanations, target), indent=False)
            )

        return await self.answer(request, protocol, handle)

    async def explain(self, read: Read) -> Explanations:
        """Return the explanations of a request."""
        model = read.model

        def ask(instances: list[Instance]) -> Sequence[Any]:
            return model.explain(instances).items

        items = await self.batcher.ask(read.key, ask, read.instances, read.most)
        return Explanations(
            tuple(items), read.instances, model.metadata, model.parameters, model.provenance
        )

    def read(self, body: Body, loaded: Loaded, protocol: Protocol, target: Target) -> Read:
        """Return what a body asks for. Raises InstanceError, SpecError and HttpError."""
        grid, alone = None, loaded.model.beside == Beside()
        if target.verb == "predict" and alone and isinstance(body, memoryview):
            grid = from_grid(body, loaded.grids, columnar=protocol.columnar)
        document = parse_json(body) if grid is None else grid
        return self.read_document(document, loaded, protocol, target)

    def read_document(
        self, document: object, loaded: Loaded, protocol: Protocol, target: Target
    ) -> Read:
        """Return what a parsed body asks for. Raises InstanceError, SpecError and HttpError."""
        if not isinstance(document, dict):  # a list of records is a file's way, no protocol's
            what = 'a request is an object, {"instances": […]}, got '
            raise InstanceError(what + kind_of(document))
        columns = protocol.columnar and "inputs" in document and "instances" not in document
        if columns:
            document = rows_of(document, loaded.model.inputs)
        instances = document.get("instances")
        if isinstance(instances, Rows):
            self.limits.check_count(len(next(iter(instances.values()))))
        if isinstance(instances, list):
            self.limits.check_count(len(instances))  # before any of them is looked at
        request = read_request(document, loaded.model.inputs, beside=loaded.model.beside)
        signature = request.parameters.get("signature_name")
        if signature not in (None, "", loaded.model.signature):
            raise SpecError(
                f"this server explains '{loaded.model.signature}' of the model",
                where=Where(path="signature_name"),
            )
        own = {k: v for k, v in request.parameters.items() if k in protocol.override}
        wanted = self.wanted(request.instances, own, loaded, protocol, target)
        return replace(wanted, columns=columns)

    def wanted(
        self,
        instances: tuple[Instance, ...],
        own: dict[str, object],
        loaded: Loaded,
        protocol: Protocol,
        target: Target,
    ) -> Read:
        """Return instances with the model as a request's `own` settings want it explained.

        Raises SpecError and HttpError.
        """
        model = protocol.configured(loaded.model, own) if target.verb == "explain" else loaded.model
        most = self.limits.check(
            instances,
            model.parameters,
            loaded.model.parameters,
            loaded.outputs,
            baselines_of(model.metadata),
            baselines_of(loaded.model.metadata),
        )
        key = (loaded.generation, target.verb, protocol.name if own else "", _canonical(own))
        return Read(instances, model, key, most)

    async def _received(self, request: Request, protocol: Protocol, seconds: float) -> Body:
        """Return the body of a request; one that has begun to come is taken to the end."""
        if self.draining:
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE, "the server is going down", retry_after=5
            )
        slow = "the body of the request did not come in time"
        late = HttpError(HTTPStatus.REQUEST_TIMEOUT, slow)
        with Deadline(min(seconds, self.limits.body_seconds), lambda: late):
            await self._check_place(request, protocol)
            self._receiving += 1
            try:
                return await self._body(request, protocol)
            finally:
                self._receiving -= 1

    async def _check_place(self, request: Request, protocol: Protocol, own: int = 0) -> None:
        """Refuse a request for which there is no place; `own` of the bytes held are its own."""
        if self._admitted >= self.limits.queue or self._bytes - own > self.limits.bodies:
            await self._discard(request)
            wait = min(60, math.ceil(max(1.0, self.batcher.seconds_to_wait)))
            raise HttpError(
                protocol.full,
                f"{self._admitted} requests are waiting already; come again in {wait} s",
                retry_after=wait,
            )

    async def _body(self, request: Request, protocol: Protocol) -> Body:
        """Return the body of a request that has a place when it is there, too."""
        if request.headers.get("content-encoding", "identity") != "identity":
            raise HttpError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body is compressed; send it as it is"
            )
        size = 0
        parts: list[bytes] = []
        try:
            whole = await self._in_one_place(request, protocol)
            if whole is not None:
                await self._check_place(request, protocol)
                return whole
            async for part in request.stream():
                size += len(part)
                self._bytes += len(part)
                parts.append(part)
                if size > self.limits.body:
                    parts.clear()
                    await self._discard(request)
                    raise self._too_large()
                if self._bytes - size > self.limits.bodies:
                    parts.clear()
                    await self._check_place(request, protocol, own=size)
        except ClientDisconnect:
            raise HttpError(CLIENT_GONE, "the client went away") from None
        finally:
            self._bytes -= size
        await self._check_place(request, protocol)
        return b"".join(parts)

    async def _in_one_place(self, request: Request, protocol: Protocol) -> Body | None:
        """Return a large body of known length, read into the place where it stays, if it can be."""
        length = request.headers.get("content-length", "")
        read = request.scope.get(WHOLE)
        if read is None or not length.isdecimal() or not LARGE <= int(length) <= self.limits.body:
            return None
        size = 0

        def arrived(count: int) -> bool:
            nonlocal size
            size += count
            self._bytes += count
            return self._bytes - size <= self.limits.bodies

        try:
            head = request.headers.get(HEADER_LENGTH, "")
            begun = read(int(length), int(head) if head.isdecimal() else 0, arrived)
            if begun is None:
                return None
            body, done = begun
            if await done:
                return body  # type: ignore[no-any-return]
            del body, begun
            await self._check_place(request, protocol, own=size)
            raise self._too_large()
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

    def _too_large(self) -> HttpError:
        return HttpError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the request has more than {self.limits.body:,} bytes; send fewer instances at a time",
        )

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
                raise HttpError(
                    HTTPStatus.BAD_REQUEST, f"the header {header} must be a number above 0"
                )
            seconds = min(seconds, wanted)
        return seconds


def baselines_of(metadata: ExplanationMetadata) -> int:
    """Return how many baselines each instance is compared with."""
    counts = [len(it.encoded_baselines or it.input_baselines) for it in metadata.inputs]
    return max([1, *counts])


def _canonical(settings: dict[str, object]) -> str:
    return json.dumps(settings, sort_keys=True) if settings else ""
