"""What a request is told when it gets no answer: a status, a sentence, and when to come again."""

from __future__ import annotations

from http import HTTPStatus

from pellucid.errors import (
    DependencyError,
    InstanceError,
    NotDifferentiableError,
    PellucidError,
    PredictorError,
    SpecError,
)
from pellucid.notices import Advice
from pellucid.printable import encodable

CLIENT_GONE = 499
"""Nobody waits for the answer any more; nginx's number for it."""


class HttpError(Exception):
    """A request that is not answered; each protocol writes it in its own shape.

    `instance` tells that the request was understood and an instance of it failed.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        retry_after: int | None = None,
        instance: bool = False,
        allow: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        # What people sent may be quoted, and half a surrogate pair cannot be written anywhere.
        self.message = encodable(message)
        self.retry_after = retry_after
        self.instance = instance
        self.allow = allow

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.allow is not None:
            headers["Allow"] = self.allow
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return headers


def http_error_of(error: PellucidError) -> HttpError:
    """Return what a client is told of an error: whose fault it is decides the status."""
    sentence = error.sentence(server_words)
    if isinstance(error, InstanceError):
        return HttpError(HTTPStatus.BAD_REQUEST, sentence, instance=error.index is not None)
    if isinstance(error, PredictorError):
        late = HTTPStatus.GATEWAY_TIMEOUT if error.late else HTTPStatus.BAD_GATEWAY
        return HttpError(late, sentence)
    if isinstance(error, SpecError | NotDifferentiableError | DependencyError):
        return HttpError(HTTPStatus.BAD_REQUEST, sentence)
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, sentence)


def server_words(setting: Advice) -> str:
    """Return a setting for whoever asks a server, and may have to ask whoever runs it."""
    value = "" if setting.value is None else f" {setting.value}"
    if setting.command:
        return f"'{setting.name}'{value} of pellucid {setting.command.replace('_', '-')}"
    if setting.determined:
        return f"'{setting.name}'{value} in the server's settings"
    return f"the server's setting '{setting.name}'{value}"
