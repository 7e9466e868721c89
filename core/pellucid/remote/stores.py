"""Stores of objects, by way of fsspec: asked again when they are busy, and their errors in words.

Only here fsspec is imported, and only when an address is used.
"""

from __future__ import annotations

import errno
import random
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

from pellucid.errors import FOREIGN, DependencyError, PellucidError
from pellucid.notices import Where
from pellucid.printable import printable
from pellucid.remote.addresses import PACKAGES, scheme_of, shown_address

T = TypeVar("T")

PAUSES = (0.3, 1.0, 3.0, 6.0)
"""Seconds before a store that is busy, or out of reach, is asked again; the packages of some ask
several times on their own."""

_BUSY = frozenset((408, 425, 429, 500, 502, 503, 504))
_CUT = frozenset(
    ("ClientPayloadError", "IncompleteRead", "IncompleteReadError", "ResponseStreamingError",
     "ServerDisconnectedError", "ConnectionResetError", "IncompleteBody", "ContentLengthError")
)  # fmt: skip
_UNREACHED = frozenset(
    ("EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError", "HTTPClientError",
     "ClientConnectorError", "ClientConnectionError", "ServiceRequestError", "gaierror",
     "ReadTimeoutError", "ProxyConnectionError", "ConnectionError")
)  # fmt: skip
_NO_CREDENTIALS = frozenset(
    ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError",
     "DefaultCredentialsError", "ClientAuthenticationError", "ProfileNotFound", "RefreshError",
     "TokenRetrievalError", "UnauthorizedSSOTokenError", "SSOTokenLoadError")
)  # fmt: skip
_NO_BUCKET_NAME = ("Invalid bucket name", "InvalidBucketName", "specified bucket is not valid")
_SETTING = {
    "s3fs": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gcsfs": "set GOOGLE_APPLICATION_CREDENTIALS, or type gcloud auth application-default login",
    "adlfs": "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and a key",
}


class AbsentError(Exception):
    """There is no such object, which may be as well."""


class LostError(OSError):
    """An object of which less came than there is."""


def store_of(address: str, *, in_one: bool = False) -> Any:
    """Return the file system of an address, which reads an object `in_one` request if that is said.

    Raises DependencyError that says what to install.
    """
    check_installed(address)
    return _store(scheme_of(address), in_one)


def check_installed(address: str) -> None:
    """Raise DependencyError, which says what to install, where an address needs it."""
    scheme, where = scheme_of(address), Where(file=shown_address(address))
    package = PACKAGES[scheme]
    if find_spec("fsspec") is None:
        what = f"addresses of {scheme}:// need the package fsspec"
        raise DependencyError(what, where=where, hint="type pip install 'pellucid[remote]'")
    if find_spec(package) is None:
        what = f"addresses of {scheme}:// need the package {package}"
        raise DependencyError(what, where=where, hint=f"type pip install {package}")


@cache
def _store(scheme: str, in_one: bool) -> Any:
    import fsspec

    package = PACKAGES[scheme]
    # What was listed before may have changed since, and a long list would stay in memory.
    options: dict[str, Any] = {} if scheme == "memory" else {"use_listings_cache": False}
    if in_one and package == "s3fs":
        # Else it asks for the size of each object first, to read those that are large in parts.
        options["max_concurrency"] = 1
    store = fsspec.filesystem(scheme, **options)
    if package == "s3fs":
        store.retries = 1  # its own are five times those of botocore, and ours come on top
    return store


def asked(
    address: str,
    question: Callable[[Any], T],
    error: type[PellucidError],
    *,
    missing: str = "there is no such object",
    in_one: bool = False,
) -> T:
    """Return what a store answers, asked again for a while where it is busy or out of reach.

    Objects are read `in_one` request, if that is said. Raises `error` with what went wrong,
    `missing` where the object is not there; where that is "", AbsentError; and DependencyError.
    """
    store = store_of(address, in_one=in_one)
    for pause in (*PAUSES, None):
        try:
            return question(store)
        except PellucidError:
            raise
        except FOREIGN as found:
            if pause is None or _kind(found) not in ("busy", "cut", "unreached"):
                if not missing and _kind(found) == "missing":
                    raise AbsentError(address) from None
                what, hint = _said(found, address, missing)
                raised = error(what, where=Where(file=shown_address(address)), hint=hint)
                raise raised from found
        time.sleep(pause * random.uniform(0.75, 1.25))
    raise AssertionError("the last pause is None")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those behind it."""
    seen = list[BaseException]()
    waiting: list[BaseException | None] = [error]
    while waiting:
        it = waiting.pop(0)
        if it is not None and it not in seen:
            seen.append(it)
            yield it
            waiting += [it.__cause__, it.__context__]


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for it in _chain(error) for kind in type(it).__mro__}


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that a store has answered with, as far as the error tells."""
    for it in _chain(error):
        response = getattr(it, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if isinstance(status, int):
                return status
        for name in ("status", "status_code", "code"):
            status = getattr(it, name, None)
            if isinstance(status, int | str) and str(status).isdecimal():
                return int(status)
    return None


def _kind(error: BaseException) -> str:
    """Return what kind of fault an error is, whatever package it comes from."""
    names, status = _names(error), _status(error)
    texts = " ".join(repr(it) for it in _chain(error))
    if names & _NO_CREDENTIALS:
        return "credentials"
    if names & {"NoSuchBucket", "ContainerNotFound"} or "NoSuchBucket" in texts:
        return "bucket"
    if any(it in texts for it in _NO_BUCKET_NAME):
        return "bucket name"
    busy = any(getattr(it, "errno", None) in (errno.EBUSY, errno.EAGAIN) for it in _chain(error))
    if busy or status in _BUSY or "ResponseParserError" in names:
        return "busy"
    if status in (401, 403) or "PermissionError" in names:
        return "refused"
    if names & _CUT or "LostError" in names:
        return "cut"
    if names & _UNREACHED or "TimeoutError" in names:
        return "unreached"
    return "missing" if status == 404 or "FileNotFoundError" in names else "other"


def _said(error: BaseException, address: str, missing: str) -> tuple[str, str]:
    """Return what went wrong, and what would be right."""
    status = _status(error)
    code = f" ({status})" if status else ""
    scheme, bucket = scheme_of(address), address.partition("://")[2].partition("/")[0]
    setting = _SETTING.get(PACKAGES[scheme], "")
    times = len(PAUSES) + 1
    return {
        "credentials": (f"there are no credentials for {scheme}://", setting),
        "bucket": (f"there is no bucket '{printable(bucket)}'", "is it that of another endpoint?"),
        "bucket name": (f"'{printable(bucket)}' cannot be the name of a bucket", ""),
        "busy": (f"the server is busy{code}, also when it was asked {times} times", ""),
        "refused": (f"access is refused{code}", setting),
        "cut": (f"the connection was lost in the middle ({_reason(error)})", ""),
        "unreached": (f"the server cannot be reached ({_reason(error)})", ""),
        "missing": (missing, ""),
        "other": (f"the store does not do it ({_reason(error)})", ""),
    }[_kind(error)]


def _reason(error: BaseException) -> str:
    """Return what the error says that is the cause, without what others made of it."""
    for it in _chain(error):
        if {kind.__name__ for kind in type(it).__mro__} & (_CUT | _UNREACHED):
            error = it
    text = re.sub(r"^\d{3}, message: ", "", " ".join(str(error).split()))
    text = printable(text) or type(error).__name__
    return text if len(text) <= 200 else text[:199] + "…"
