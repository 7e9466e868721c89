"""Who may ask: a bearer token, and no web page of another origin."""

from __future__ import annotations

import hmac
import ipaddress
import os
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from pellucid.errors import SpecError
from pellucid.files import read_text
from pellucid.notices import Where
from pellucid.serve.http_errors import HttpError

TOKEN_VARIABLE = "PELLUCID_SERVE_TOKEN"


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets requests through that bring the token, if there is one."""

    token: str | None = None

    def check(self, headers: Headers) -> None:
        """Raise HttpError for a request without the right token, or from another web page.

        A browser says on whose behalf it asks (``Origin``); clients that are no browser do not.
        Without a token, a page has to come from this very address by a loopback name, so that no
        name that an attacker points here will do.
        """
        origin = headers.get("origin")
        if origin is not None:
            place = urlsplit(origin)
            foreign = place.netloc.lower() != headers.get("host", "").lower()
            if foreign or (self.token is None and not is_loopback(place.hostname or "")):
                raise HttpError(
                    HTTPStatus.FORBIDDEN, f"pages of {origin[:100]} may not ask this server"
                )
        if self.token is None:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode(), self.token.encode())
        if scheme.lower() != "bearer" or not same:
            raise HttpError(
                HTTPStatus.UNAUTHORIZED,
                "a bearer token is needed: send the header 'Authorization: Bearer TOKEN'",
            )


def read_token(file: Path | None) -> str | None:
    """Return the token in a file, or that of the environment, or None. Raises SpecError."""
    if file is None:
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
        return token or None
    try:
        token = read_text(file, "ascii").strip()
    except OSError as error:
        raise SpecError(
            f"the token cannot be read: {error.strerror}", where=Where(file=str(file))
        ) from error
    except UnicodeDecodeError as error:
        raise SpecError("a token is ASCII text", where=Where(file=str(file))) from error
    if len(token.split()) != 1:
        raise SpecError("holds no token", where=Where(file=str(file)), hint="a token is one word")
    return token


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
