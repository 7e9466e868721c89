"""Why a connection failed, for people."""

from __future__ import annotations

from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected


def reason_of(error: BaseException) -> str:
    """Return the innermost reason of an error of urllib3's, in the words of the system."""
    seen: BaseException = error
    while True:
        inner = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__
        inner = inner if isinstance(inner, BaseException) else None
        inner = inner or next((it for it in seen.args if isinstance(it, BaseException)), None)
        if inner is None or inner is seen:
            break
        seen = inner
    if isinstance(seen, IncompleteRead):
        return "the rest of one is missing"
    if isinstance(seen, RemoteDisconnected):
        return "the connection is closed without one"
    if isinstance(seen, BadStatusLine):
        return "what comes is no HTTP"
    found = getattr(seen, "verify_message", None) or getattr(seen, "strerror", None)
    return str(found or seen or type(seen).__name__)
