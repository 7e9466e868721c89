"""Who may ask: a bearer token, no web page of another origin, and nobody by a foreign name."""

from __future__ import annotations

import hmac
import ipaddress
import os
import re
from collections.abc import Sequence
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
    """Lets requests through that bring the token, if there is one, and come by a known name.

    `bound` is the address that the server is bound to; `hosts` are further names by which it may be
    asked, ``*.example.com`` any below one, ``*`` any at all. `open_metrics` lets everybody read
    ``/metrics``.
    """

    token: str | None = None
    bound: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    open_metrics: bool = False

    def check_host(self, hosts: Sequence[str], version: str) -> None:
        """Raise HttpError for a ``Host`` that is not this server's, or more than one.

        A page whose own name is pointed at this address ("DNS rebinding") is of the same origin as
        the server, for a browser; what it cannot change is the name. An address is no name, so that
        a server bound to all addresses is asked by each of them. RFC 9112, 3.2: a request without
        ``Host``, or with two, is answered with 400, unless it is of HTTP/1.0.
        """
        if len(hosts) != 1:
            if not hosts and version == "1.0":
                return
            raise HttpError(
                HTTPStatus.BAD_REQUEST, f"a request has one Host header, not {len(hosts)}"
            )
        name = host_name(hosts[0])
        if name is None:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"'{hosts[0][:100]}' is no host")
        if not self._is_ours(name):
            raise HttpError(
                HTTPStatus.FORBIDDEN,
                f"this server is not asked by the name '{name[:100]}'; whoever runs it can allow "
                "that (the setting 'allowed_host')",
            )

    def _is_ours(self, name: str) -> bool:
        if is_loopback(name) or name == (host_name(self.bound) or self.bound.lower()):
            return True
        if self.bound in ("0.0.0.0", "::", "") and _is_address(name):
            return True
        return self._is_allowed(name)

    def _is_allowed(self, name: str) -> bool:
        return any(
            allowed == "*"
            or name == allowed.lower().rstrip(".")
            or (allowed.startswith("*.") and name.endswith(allowed[1:].lower()))
            for allowed in self.hosts
        )

    def check(self, headers: Headers) -> None:
        """Raise HttpError for a request without the right token, or from another web page.

        A browser says on whose behalf it asks (``Origin``); clients that are no browser do not.
        Without a token, a page has to come from this very address by a loopback name, so that no
        name that an attacker points here will do.
        """
        origin = headers.get("origin")
        if origin is not None and not self._is_own_page(origin, headers.get("host", "")):
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

    def _is_own_page(self, origin: str, host: str) -> bool:
        try:
            place = urlsplit(origin)
            name = place.hostname or ""
        except ValueError:  # as of http://[
            return False
        if place.netloc.lower() != host.lower():
            return False
        return self.token is not None or is_loopback(name) or self._is_allowed(name)


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


_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{0,5})?", re.ASCII)


def host_name(host: str) -> str | None:
    """Return the name or address in a ``Host`` header, in lower case and without a port."""
    found = _HOST.fullmatch(host)
    return None if found is None else (found[1] or found[2]).lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
