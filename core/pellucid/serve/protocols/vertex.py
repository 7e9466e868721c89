"""Vertex AI's ``endpoints.explain`` and ``endpoints.predict``, with ``explanationSpecOverride``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from pellucid.api import Explanations, LoadedModel
from pellucid.metadata import Dialect
from pellucid.metadata.documents import parameters_of_call
from pellucid.serve.http_errors import HttpError
from pellucid.serve.model_repository import ModelEntry
from pellucid.serve.protocols.protocol import GOOGLE_ERROR, Protocol, Target, google_error

DEPLOYED_MODEL = "local"
PARAMETERS = "parameters"


class Vertex(Protocol):
    """Vertex AI, versions 1 and 1beta1 of its API; an endpoint is a model's name."""

    name = "vertex"
    title = "Vertex AI"
    full = HTTPStatus.TOO_MANY_REQUESTS
    error_form = GOOGLE_ERROR
    paths: ClassVar[tuple[str, ...]] = (
        "/v1/projects/{project}/locations/{location}/endpoints/{target}",
        "/v1beta1/projects/{project}/locations/{location}/endpoints/{target}",
    )
    override: ClassVar[tuple[str, ...]] = ("explanationSpecOverride", "explanation_spec_override")

    def configured(self, model: LoadedModel, request: Mapping[str, object]) -> LoadedModel:
        return model.requested({key: request[key] for key in self.override if key in request})

    def explained(self, explanations: Explanations, target: Target) -> dict[str, Any]:
        return explanations.response(dialect=Dialect.VERTEX)

    def predicted(self, predictions: Sequence[Any], target: Target) -> dict[str, Any]:
        return {
            "predictions": list(predictions),
            "deployedModelId": DEPLOYED_MODEL,
            "model": target.resource.replace("/endpoints/", "/models/"),
            "modelDisplayName": target.model,
        }

    def described(self, model: ModelEntry, target: Target) -> tuple[int, dict[str, Any]]:
        deployed = {"id": DEPLOYED_MODEL, "displayName": model.name}
        return HTTPStatus.OK, {
            "name": target.resource,
            "displayName": model.name,
            "deployedModels": [deployed],
            "trafficSplit": {DEPLOYED_MODEL: 100},
        }

    def refused(self, http_error: HttpError) -> tuple[int, dict[str, Any]]:
        return http_error.status, google_error(http_error)


class InContainer(Vertex):
    """Vertex AI's answers and errors; the settings of a call are its ``parameters``."""

    name = "vertex-container"
    paths = ()
    override = (PARAMETERS,)

    def configured(self, model: LoadedModel, request: Mapping[str, object]) -> LoadedModel:
        if PARAMETERS not in request:
            return model
        made = parameters_of_call(request[PARAMETERS], PARAMETERS, model.metadata, model.parameters)
        return model.configured(parameters=made)
