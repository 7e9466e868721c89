"""What every protocol has to say; the way of a request is the same for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple

from pellucid.api import Explanations, LoadedModel
from pellucid.serve.http_errors import HttpError
from pellucid.serve.model_repository import ModelEntry


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: a model, a version of it if it says so, and a verb if it has one."""

    resource: str
    model: str
    version: str | None
    verb: str | None


class ErrorForm(NamedTuple):
    """What errors look like: the schema of their body, and its name among all schemas."""

    name: str
    schema: Mapping[str, Any]


PLAIN_ERROR = ErrorForm(
    "Error",
    {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
)


class Protocol(ABC):
    """One protocol: `name` for logs and metrics, `full` the status of a full queue."""

    name: ClassVar[str]
    title: ClassVar[str]
    """What people call it."""
    full: ClassVar[HTTPStatus]
    error_form: ClassVar[ErrorForm] = PLAIN_ERROR
    answers_wrong_instances: ClassVar[bool] = False
    """Whether a call with a wrong instance succeeds all the same, and is answered by an error."""
    columnar: ClassVar[bool] = False
    """Whether ``{"inputs": …}``, an array for each input, is a request, too."""
    paths: ClassVar[tuple[str, ...]]
    """Templates; the last part is ``{target}``, a name with or without ``:verb``."""
    override: ClassVar[tuple[str, ...]]
    """The keys of a request, beside `instances`, that change how it is explained."""

    @abstractmethod
    def configured(self, model: LoadedModel, request: Mapping[str, object]) -> LoadedModel:
        """Return the model as the request wants it explained. Raises PellucidError."""

    @abstractmethod
    def explained(self, explanations: Explanations, target: Target) -> dict[str, Any]:
        """Return the body of an answer to ``:explain``."""

    @abstractmethod
    def predicted(self, predictions: Sequence[Any], target: Target) -> dict[str, Any]:
        """Return the body of an answer to ``:predict``."""

    @abstractmethod
    def described(self, model: ModelEntry, target: Target) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of an answer to GET: what the model is, and its state."""

    def refused(self, http_error: HttpError) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of an error."""
        return http_error.status, {"error": http_error.message}


GOOGLE_STATUS = {
    HTTPStatus.BAD_REQUEST: "INVALID_ARGUMENT",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.METHOD_NOT_ALLOWED: "UNIMPLEMENTED",
    HTTPStatus.REQUEST_TIMEOUT: "DEADLINE_EXCEEDED",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "INVALID_ARGUMENT",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "INVALID_ARGUMENT",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL",
    HTTPStatus.BAD_GATEWAY: "UNAVAILABLE",
    HTTPStatus.SERVICE_UNAVAILABLE: "UNAVAILABLE",
    HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
}


GOOGLE_ERROR = ErrorForm(
    "GoogleError",
    {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "integer"},
                    "message": {"type": "string"},
                    "status": {"enum": sorted({*GOOGLE_STATUS.values(), "UNKNOWN"})},
                },
                "required": ["code", "message", "status"],
            }
        },
        "required": ["error"],
    },
)


def google_error(http_error: HttpError) -> dict[str, Any]:
    """Return an error as Google's APIs write it, ``google.rpc.Status`` in JSON."""
    status = GOOGLE_STATUS.get(HTTPStatus(http_error.status), "UNKNOWN")
    return {"error": {"code": http_error.status, "message": http_error.message, "status": status}}
