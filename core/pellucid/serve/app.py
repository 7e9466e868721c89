"""The application: which path is answered by what."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pellucid.responses import encode
from pellucid.serve.access_log import VISIT, AccessLog
from pellucid.serve.auth import Guard
from pellucid.serve.container import ContainerRoutes, VertexContainer
from pellucid.serve.handler import Handler
from pellucid.serve.http_errors import HttpError
from pellucid.serve.metrics import CONTENT_TYPE
from pellucid.serve.open_inference import OpenInference
from pellucid.serve.protocols import PROTOCOLS, protocol_of
from pellucid.serve.protocols.openapi import PLACE, document
from pellucid.serve.protocols.protocol import Protocol, Target
from pellucid.serve.tf_serving.endpoints import ServingMetadata
from pellucid.serve.ui.page import Page

VERBS = ("explain", "predict")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
"""All that a path with or without a verb may be asked; it says which of them it takes."""


def application(
    handler: Handler,
    write_log: Callable[[bytes], object],
    *,
    poll: float,
    loaded: Callable[[], object],
    failed: Callable[[BaseException], object],
    container: ContainerRoutes | None = None,
) -> AccessLog:
    """Return the ASGI application of a server.

    It loads the models when it starts, and calls `loaded` when they answer; `failed` is called with
    what is wrong with one of them, or with whatever else makes going on pointless. Every `poll`
    seconds it looks for directories that changed (0: never). The paths of a `container` go before
    all others.
    """
    handlers: Mapping[Any, Any] = {HTTPException: _no_route, Exception: _broken}
    app = Starlette(
        routes=_routes(handler, container),
        lifespan=_life(handler, poll, loaded, failed),
        exception_handlers=handlers,
    )
    app.router.redirect_slashes = False  # a path is what it is, and clients follow no POST
    return AccessLog(_ByName(app, handler.guard), handler.metrics, write_log)


def _life(
    handler: Handler,
    poll: float,
    loaded: Callable[[], object],
    failed: Callable[[BaseException], object],
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Return what loads the models, looks for new ones while the server runs, and ends it."""

    async def load() -> None:
        await handler.repository.load_all()
        loaded()
        if poll:
            await handler.repository.watch(poll)

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            failed(error)

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        loading = asyncio.create_task(load())
        loading.add_done_callback(ended)
        try:
            yield
        finally:
            loading.cancel()
            await asyncio.wait([loading])
            handler.repository.close()
            handler.batcher.close()
            handler.close()

    return life


def _routes(handler: Handler, container: ContainerRoutes | None) -> list[Route]:
    routes = [] if container is None else VertexContainer(handler, container).routes
    routes += [
        Route(path, _Endpoint(handler, protocol), methods=METHODS)
        for protocol in PROTOCOLS
        for path in protocol.paths
    ]
    routes += [
        Route("/v1/models", _guarded(handler, _models), methods=["GET"]),
        Route("/healthz", _alive, methods=["GET"]),
        Route("/readyz", _ready_of(handler), methods=["GET"]),
        Route(
            "/metrics",
            _guarded(handler, _metrics, open_to_all=handler.guard.open_metrics),
            methods=["GET"],
        ),
        Route("/openapi.json", _guarded(handler, _openapi_of(container)), methods=["GET"]),
        *ServingMetadata(handler).routes,
        *OpenInference(handler).routes,
        *Page(handler).routes,
    ]
    return routes


class _ByName:
    """Wraps an application: what is asked by a foreign name is answered by nobody in it."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            try:
                self._guard.check_host(hosts, scope["http_version"])
            except HttpError as http_error:
                scope[VISIT].error = http_error.message[:500]
                status, body = protocol_of(scope["path"]).refused(http_error)
                await _json(body, status)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Endpoint:
    """What answers a protocol's paths: an ASGI application, which costs less than a function."""

    def __init__(self, handler: Handler, protocol: Protocol) -> None:
        self._handler = handler
        self._protocol = protocol

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._response(Request(scope, receive))
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        handler, protocol = self._handler, self._protocol
        visit = request.scope[VISIT]
        visit.protocol = protocol.name
        try:
            target = _target(request)
            if target.verb is not None:
                visit.verb = target.verb
                return await handler.ask(request, protocol, target)
            handler.guard.check(request.headers)
            model = handler.repository.named(target.model)
            status, body = protocol.described(model, target)
            return _json(body, status)
        except HttpError as http_error:
            visit.error = http_error.message[:500]
            status, body = protocol.refused(http_error)
            return _json(body, status, http_error.headers)


def _target(request: Request) -> Target:
    """Return what the path names. Raises HttpError for a verb that is none, or the wrong method."""
    for part in ("project", "location"):
        if not re.fullmatch(PLACE, request.path_params.get(part, "-")):
            raise HttpError(HTTPStatus.NOT_FOUND, f"that is no {part}: {PLACE} is")
    name, colon, verb = request.path_params["target"].partition(":")
    if colon and verb not in VERBS:
        raise HttpError(
            HTTPStatus.NOT_FOUND,
            f"there is no verb ':{verb[:50]}'; there are :explain and :predict",
        )
    taken = "POST" if colon else "GET, HEAD"
    if request.method not in taken.split(", "):
        raise HttpError(
            HTTPStatus.METHOD_NOT_ALLOWED,
            f"this path takes {taken}, not {request.method}",
            allow=taken,
        )
    resource = request.scope["path"].split("/", 2)[2]
    if colon:
        resource = resource.rpartition(":")[0] or resource
    model = request.path_params.get("model")
    version = None if model is None else name
    return Target(resource, model or name, version, verb or None)


def _guarded(
    handler: Handler, answer: Callable[[Handler], Response], *, open_to_all: bool = False
) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            if not open_to_all:
                handler.guard.check(request.headers)
        except HttpError as http_error:
            return _json({"error": http_error.message}, http_error.status, http_error.headers)
        return answer(handler)

    return endpoint


def _models(handler: Handler) -> Response:
    return _json({"models": list(handler.repository.models)})


def _openapi_of(container: ContainerRoutes | None) -> Callable[[Handler], Response]:
    places = None if container is None else (container.health, container.predict)

    def described(handler: Handler) -> Response:
        return _json(document(handler.repository, PROTOCOLS, handler.limits, places))

    return described


def _metrics(handler: Handler) -> Response:
    return Response(handler.metrics.text(), media_type=CONTENT_TYPE)


async def _alive(request: Request) -> Response:
    return _json({"status": "alive"})


def _ready_of(handler: Handler) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        ready = handler.repository.ready and not handler.draining
        return _json({"ready": ready}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

    return endpoint


async def _no_route(request: Request, error: HTTPException) -> Response:
    sentence = {
        HTTPStatus.NOT_FOUND: f"there is nothing at {request.url.path[:200]}",
        HTTPStatus.METHOD_NOT_ALLOWED: f"this path does not take {request.method}",
    }.get(HTTPStatus(error.status_code), error.detail)
    http_error = HttpError(error.status_code, sentence)
    _, body = protocol_of(request.url.path).refused(http_error)
    return _json(body, error.status_code, error.headers or {})


async def _broken(request: Request, error: Exception) -> Response:
    http_error = HttpError(
        HTTPStatus.INTERNAL_SERVER_ERROR, f"internal error: {type(error).__name__}"
    )
    status, body = protocol_of(request.url.path).refused(http_error)
    return _json(body, status)


def _json(
    document: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        encode(document, indent=False), status, headers=headers, media_type="application/json"
    )
