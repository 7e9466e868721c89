"""AI Platform's ``projects.explain`` and ``projects.predict``.

"If explanation fails for any instance, the response body contains no explanations. Instead, it
contains a single error entry." That answer has status 200: clients look for ``error`` in the body
of a call that succeeded. Everything else that goes wrong is an error of a Google API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pellucid.api import Explanations, LoadedModel
from pellucid.metadata import Dialect
from pellucid.serve.http_errors import HttpError
from pellucid.serve.model_repository import ModelEntry
from pellucid.serve.protocols.protocol import GOOGLE_ERROR, Protocol, Target, google_error


class AiPlatform(Protocol):
    """AI Platform Prediction, version 1 of its API; the parameters are those of the model."""

    name = "ai-platform"
    title = "AI Platform"
    full = HTTPStatus.TOO_MANY_REQUESTS
    error_form = GOOGLE_ERROR
    answers_wrong_instances = True
    paths = (
        "/v1/projects/{project}/models/{target}",
        "/v1/projects/{project}/models/{model}/versions/{target}",
    )
    override = ()

    def configured(self, model: LoadedModel, request: Mapping[str, object]) -> LoadedModel:
        return model

    def explained(self, explanations: Explanations, target: Target) -> dict[str, Any]:
        return explanations.response(dialect=Dialect.AI_PLATFORM)

    def predicted(self, predictions: Sequence[Any], target: Target) -> dict[str, Any]:
        return {"predictions": list(predictions)}

    def described(self, model: ModelEntry, target: Target) -> tuple[int, dict[str, Any]]:
        if target.version is not None:
            return HTTPStatus.OK, _version(model, target.version, target.resource)
        default = model.default.name
        version = _version(model, default, f"{target.resource}/versions/{default}")
        return HTTPStatus.OK, {"name": target.resource, "defaultVersion": version}

    def refused(self, http_error: HttpError) -> tuple[int, dict[str, Any]]:
        if http_error.instance:
            return HTTPStatus.OK, {"error": http_error.message}
        return http_error.status, google_error(http_error)


def _version(model: ModelEntry, name: str, resource: str) -> dict[str, Any]:
    if name not in model.versions:
        raise HttpError(HTTPStatus.NOT_FOUND, f"model '{model.name}' has no version '{name}'")
    default = model.default
    ready = model.versions[name].loaded is not None or name != default.name
    return {
        "name": resource,
        "isDefault": name == default.name,
        "state": "READY" if ready else "CREATING",
        "framework": "TENSORFLOW",
    }
