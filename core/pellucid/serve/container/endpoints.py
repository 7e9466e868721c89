"""The routes of a custom container, and the way of a request for predictions."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pellucid.api import Explanations
from pellucid.inputs import parse_json
from pellucid.metadata import Dialect
from pellucid.responses import encode, predictions
from pellucid.serve.access_log import VISIT
from pellucid.serve.connection import Body
from pellucid.serve.container.requests import PARAMETERS, wishes_of
from pellucid.serve.handler import Handler, Read
from pellucid.serve.model_repository import Loaded
from pellucid.serve.protocols import InContainer
from pellucid.serve.protocols.protocol import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRoutes:
    """The paths that Vertex AI asks: `health` by GET, `predict` by POST; the two may be one."""

    health: str
    predict: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was understood: what is predicted, and what of it is explained.

    `places` are those of the explained ones among the predicted.
    """

    predicted: Read
    explained: Read | None
    places: tuple[int, ...]


class VertexContainer:
    """Health and predictions of the one model that is served, where Vertex AI asks for them."""

    def __init__(self, handler: Handler, places: ContainerRoutes) -> None:
        self._handler = handler
        self._protocol = InContainer()
        self.routes = [
            Route(places.health, self._health, methods=["GET"]),
            Route(places.predict, self._predict, methods=["POST"]),
        ]

    async def _health(self, request: Request) -> Response:
        ready = self._handler.repository.ready and not self._handler.draining
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        data = encode({"ready": ready}, indent=False)
        return Response(data, status, media_type="application/json")

    async def _predict(self, request: Request) -> Response:
        handler, visit = self._handler, request.scope[VISIT]
        visit.protocol, visit.verb = self._protocol.name, "predict"

        async def handle(body: Body) -> bytes:
            (name,) = handler.repository.models
            loaded = await handler.repository.find(name, None)
            visit.model = name
            try:
                handler.batcher.expected += 1
                asked = await handler.offload.do(len(body), lambda: self._read(body, name, loaded))
            finally:
                handler.batcher.expected -= 1
            read = asked.predicted
            visit.instances = len(read.instances)
            answers = await handler.batcher.ask(
                read.key, read.model.predict, read.instances, read.most
            )
            document: dict[str, Any] = {"predictions": list(predictions(answers))}
            if asked.explained is None:
                return await handler.offload.do(len(body), lambda: encode(document, indent=False))
            visit.verb = "explain"
            found = await handler.explain(asked.explained)
            labels = [label for explanation in found for label in explanation.labels]
            size = sum(values.nbytes for label in labels for values in label.values.values())
            return await handler.offload.do(
                size,
                lambda: encode({**document, **_beside(found, asked)}, indent=False),
            )

        return await handler.answer(request, self._protocol, handle)

    def _read(self, body: Body, name: str, loaded: Loaded) -> Asked:
        """Return what a body asks for. Raises InstanceError, SpecError and HttpError."""
        model, protocol = loaded.model, self._protocol
        names = {*(info.name for info in model.inputs), *model.beside.names}
        wishes = wishes_of(parse_json(body), names)
        target = Target(name, name, None, "predict")
        read = self._handler.read_document(wishes.document, loaded, protocol, target)
        own: dict[str, object] = {PARAMETERS: wishes.settings} if wishes.settings else {}
        if not wishes.explained:
            protocol.configured(model, own)  # what is wrong is said, used or not
            return Asked(read, None, ())
        chosen = tuple(read.instances[place] for place in wishes.explained)
        target = Target(name, name, None, "explain")
        explained = self._handler.wanted(chosen, own, loaded, protocol, target)
        return Asked(read, explained, wishes.explained)


def _beside(found: Explanations, asked: Asked) -> dict[str, Any]:
    """Return the explanations in their instances' places; an empty one has no attributions."""
    body = found.response(dialect=Dialect.VERTEX)
    each: list[dict[str, Any]] = [{} for _ in asked.predicted.instances]
    for place, explanation in zip(asked.places, body["explanations"], strict=True):
        each[place] = explanation
    kept = {key: body[key] for key in ("diagnostics",) if key in body}
    return {"explanations": each, **kept}
