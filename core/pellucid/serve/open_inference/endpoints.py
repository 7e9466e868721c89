"""The routes of the Open Inference Protocol, and the way of its requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pellucid import __version__
from pellucid.inputs import read_request
from pellucid.metadata import KSERVE_KEYS
from pellucid.model import Array
from pellucid.open_inference import BINARY_EXTENSION, HEADER_LENGTH, datatype_of
from pellucid.responses import encode
from pellucid.serve.access_log import VISIT
from pellucid.serve.batcher import ROWS
from pellucid.serve.connection import Body
from pellucid.serve.handler import Handler
from pellucid.serve.http_errors import HttpError
from pellucid.serve.model_repository import Loaded
from pellucid.serve.offload import LARGE
from pellucid.serve.open_inference.requests import Wanted, read, written
from pellucid.serve.protocols import protocol_named
from pellucid.serve.protocols.protocol import Target

NAME = "oip-v2"
_PLACES = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
_JSON, _BINARY = "application/json", "application/octet-stream"

Answer = dict[str, Array]


class OpenInference:
    """Health, metadata, ``infer`` and ``explain``, as KServe's and Triton's servers have them."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._protocol = protocol_named("kserve")  # whose errors and explanations are the same
        self.routes = [
            Route("/v2", self._guarded(self._server), methods=["GET"]),
            Route("/v2/health/live", self._live, methods=["GET"]),
            Route("/v2/health/ready", self._ready, methods=["GET"]),
            *(
                route
                for place in _PLACES
                for route in (
                    Route(place, self._guarded(self._metadata), methods=["GET"]),
                    Route(f"{place}/ready", self._guarded(self._model_ready), methods=["GET"]),
                    Route(f"{place}/infer", self._infer, methods=["POST"]),
                    Route(f"{place}/explain", self._explain, methods=["POST"]),
                )
            ),
        ]

    def _guarded(
        self, answer: Callable[[Request], tuple[int, dict[str, Any]]]
    ) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            visit = request.scope[VISIT]
            visit.protocol = NAME
            try:
                self._handler.guard.check(request.headers)
                status, document = answer(request)
            except HttpError as error:
                visit.error = error.message[:500]
                status, document = self._protocol.refused(error)
                return _json(document, status, error.headers)
            return _json(document, status)

        return endpoint

    def _server(self, request: Request) -> tuple[int, dict[str, Any]]:
        extensions = [BINARY_EXTENSION]
        return HTTPStatus.OK, {
            "name": "pellucid",
            "version": __version__,
            "extensions": extensions,
        }

    async def _live(self, request: Request) -> Response:
        return _json({"live": True})

    async def _ready(self, request: Request) -> Response:
        ready = self._handler.repository.ready and not self._handler.draining
        return _json({"ready": ready}, _status(ready))

    def _model_ready(self, request: Request) -> tuple[int, dict[str, Any]]:
        name, loaded = self._named(request)
        return _status(loaded is not None), {"name": name, "ready": loaded is not None}

    def _metadata(self, request: Request) -> tuple[int, dict[str, Any]]:
        name, loaded = self._named(request)
        if loaded is None:
            raise HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE, f"model '{name}' is not ready yet", retry_after=1
            )
        model = loaded.model
        return HTTPStatus.OK, {
            "name": name,
            "versions": list(self._handler.repository.named(name).versions),
            "platform": "tensorflow_savedmodel",
            "inputs": [_described(it.name, it.dtype, it.shape) for it in model.inputs],
            "outputs": [
                _described(key, it.dtype, it.shape)
                for key, it in model.compiler.signature.outputs.items()
            ],
        }

    def _named(self, request: Request) -> tuple[str, Loaded | None]:
        """Return the model that a path names, and what of it is loaded. Raises HttpError."""
        name, version = request.path_params["model"], request.path_params.get("version")
        model = self._handler.repository.named(name)
        if version is None:
            return name, model.default.loaded
        if version not in model.versions:
            known = ", ".join(f"'{it}'" for it in model.versions)
            what = f"model '{name}' has no version '{version[:50]}'; it has {known}"
            raise HttpError(HTTPStatus.NOT_FOUND, what)
        return name, model.versions[version].loaded

    async def _infer(self, request: Request) -> Response:
        headers: dict[str, str] = {}

        async def handle(body: Body) -> bytes:
            name, loaded, wanted = await self._read(request, body, "infer")
            infos = loaded.model.compiler.signature.outputs
            model = loaded.model

            def ask(requests: list[Mapping[str, Array]]) -> Sequence[Answer]:
                return _answers(requests, model.compiler.signature_outputs)

            # A request is asked as a whole, and beside others only while they are few small rows:
            # to put large ones together costs more than it saves.
            large = sum(it.nbytes for it in wanted.tensors.values()) >= LARGE
            key, most = (loaded.generation, "infer"), max(1, ROWS // wanted.rows)
            (found,) = await self._handler.batcher.ask(
                key, ask, [wanted.tensors], most, alone=large
            )
            version = request.path_params.get("version") or _version(self._handler, name)
            size = sum(it.nbytes for it in found.values())
            found = _without_rows(found, loaded)
            data, header = await self._handler.offload.do(
                size, lambda: written(name, version, wanted, found, infos)
            )
            if header is not None:
                headers[HEADER_LENGTH] = str(header)
            return data

        response = await self._handler.answer(request, self._protocol, handle)
        if headers and response.status_code == HTTPStatus.OK:
            response.headers.update({**headers, "content-type": _BINARY})
        return response

    async def _explain(self, request: Request) -> Response:
        async def handle(body: Body) -> bytes:
            name, loaded, wanted = await self._read(request, body, "explain")
            inputs, own = loaded.model.inputs, dict(wanted.parameters)
            own.pop("binary_data_output", None)
            unknown = [key for key in own if key not in KSERVE_KEYS]
            if unknown:
                what = f"unknown parameter '{unknown[0][:50]}'; there are {', '.join(KSERVE_KEYS)}"
                raise HttpError(HTTPStatus.BAD_REQUEST, what)
            rows = [
                {key: value[row] for key, value in wanted.tensors.items()}
                for row in range(wanted.rows)
            ]
            instances = await self._handler.offload.do(
                len(body), lambda: read_request({"instances": rows}, inputs).instances
            )
            target = Target(request.url.path, name, None, "explain")
            asked = self._handler.wanted(instances, own, loaded, self._protocol, target)
            explanations = await self._handler.explain(asked)
            document = self._protocol.explained(explanations, target)
            document = {"model_name": name, **({"id": wanted.id} if wanted.id else {}), **document}
            return await self._handler.offload.do(len(body), lambda: encode(document, indent=False))

        return await self._handler.answer(request, self._protocol, handle)

    async def _read(self, request: Request, body: Body, verb: str) -> tuple[str, Loaded, Wanted]:
        """Return the model, what of it is loaded, and what a body asks of it."""
        visit = request.scope[VISIT]
        visit.protocol, visit.verb = NAME, verb
        name, version = request.path_params["model"], request.path_params.get("version")
        loaded = await self._handler.repository.find(name, version)
        visit.model = name
        length = request.headers.get(HEADER_LENGTH)
        model = loaded.model
        outputs = list(model.compiler.signature.outputs)
        try:
            self._handler.batcher.expected += 1
            wanted = await self._handler.offload.do(
                len(body), lambda: read(body, length, model.inputs, outputs)
            )
        finally:
            self._handler.batcher.expected -= 1
        self._handler.limits.check_count(wanted.rows)
        visit.instances = wanted.rows
        return name, loaded, wanted


def _answers(
    requests: Sequence[Mapping[str, Array]], outputs: Callable[[Mapping[str, Array]], Answer]
) -> list[Answer]:
    """Return the outputs of each request; those whose rows have the same shapes go together."""
    groups: dict[object, list[int]] = {}
    for place, tensors in enumerate(requests):
        shapes = tuple(value.shape[1:] for value in tensors.values())
        groups.setdefault((*tensors, *shapes), []).append(place)
    found: list[Answer] = [{} for _ in requests]
    for places in groups.values():
        some = [requests[place] for place in places]
        whole = some[0]
        if len(some) > 1:
            whole = {name: np.concatenate([it[name] for it in some]) for name in whole}
        answer, first = outputs(whole), 0
        for place, tensors in zip(places, some, strict=True):
            last = first + len(next(iter(tensors.values())))
            found[place] = {name: value[first:last] for name, value in answer.items()}
            first = last
    return found


def _without_rows(found: Answer, loaded: Loaded) -> Answer:
    """Return outputs as the model has them: without an axis of rows, where it has none."""
    batched = any(it.batch for it in loaded.model.inputs)
    return found if batched else {name: value[0] for name, value in found.items()}


def _version(handler: Handler, name: str) -> str:
    return handler.repository.named(name).default.name


def _described(name: str, dtype: str, shape: tuple[int | None, ...] | None) -> dict[str, Any]:
    sizes = [-1 if size is None else size for size in shape or ()]
    return {"name": name, "datatype": datatype_of(dtype), "shape": sizes}


def _status(ready: bool) -> HTTPStatus:
    return HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE


def _json(
    document: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(encode(document, indent=False), status, headers=headers, media_type=_JSON)
