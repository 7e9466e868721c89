"""Recorded requests with their answers, read from whatever people have kept.

- what is written where a service or its clients are recorded, a file for each exchange:
  ``{"path", "status", "request", "response"}``;
- a folder of pairs, ``NAME.request.json`` and ``NAME.response.json``;
- JSON lines of either, or of a batch job's results, ``{"instance", "prediction", "explanation"}``;
- HAR files, as browsers and proxies save them.

Nothing is searched in headers: whatever they hold is passed over.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.errors import InstanceError
from pellucid.files import read_bytes
from pellucid.inputs import parse_json
from pellucid.notices import Where

REQUEST, RESPONSE = ".request.json", ".response.json"
LINES = (".jsonl", ".ndjson")
_BATCH = frozenset(("instance", "explanation"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and its answer, JSON objects, and where both were found."""

    where: Where
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    path: str = ""


def read_recorded(path: Path) -> Iterator[Exchange | InstanceError]:
    """Yield the exchanges of a file or a folder, in the order of their names.

    What cannot be read, or has no counterpart, is the error that says so; HTTP exchanges that
    explain nothing are passed over.
    """
    if not path.is_dir():
        try:
            yield from _of_file(path)
        except InstanceError as error:
            yield error
        return
    names = sorted(it for it in path.rglob("*") if it.is_file() and not _is_hidden(it, path))
    found = False
    for it in names:
        if it.name.endswith(RESPONSE):
            found = True
            if not it.with_name(it.name.removesuffix(RESPONSE) + REQUEST).exists():
                yield _alone(it, "an answer", "request", REQUEST)
            continue
        if it.suffix.lower() in (".json", ".har", *LINES) or it.name.endswith(REQUEST):
            found = True
            try:
                yield from _of_file(it)
            except InstanceError as error:
                yield error
    if not found:
        hint = "they are .json, .jsonl and .har files"
        yield InstanceError("holds no exchanges", where=Where(file=str(path)), hint=hint)


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _alone(path: Path, what: str, other: str, suffix: str) -> InstanceError:
    """Return the error of one half of an exchange, and what the other would be called."""
    stem = path.name
    for it in (REQUEST, RESPONSE):
        stem = stem.removesuffix(it)
    return InstanceError(
        f"is {what} without its {other}", where=Where(file=str(path)),
        hint=f"put the {other} beside it, as {stem}{suffix}",
    )  # fmt: skip


def _of_file(path: Path) -> Iterator[Exchange | InstanceError]:
    """Yield the exchanges of one file. Raises InstanceError."""
    where = Where(file=str(path))
    if path.name.endswith(REQUEST):
        other = path.with_name(path.name.removesuffix(REQUEST) + RESPONSE)
        if not other.exists():
            raise _alone(path, "a request", "answer", RESPONSE)
        request, response = (_document(it) for it in (path, other))
        yield _exchange({"request": request, "response": response}, where)
        return
    if path.suffix.lower() in LINES:
        yield from _of_lines(_text(path), where)
        return
    document = _document(path)
    if isinstance(document, list):
        for number, it in enumerate(document):
            yield _tried(it, where.below(f"[{number}]"))
    elif isinstance(document, Mapping) and "log" in document:
        yield from _of_har(document, where)
    else:
        yield _exchange(document, where)


def _text(path: Path) -> str:
    try:
        return read_bytes(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = f"cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}"
        raise InstanceError(what, where=Where(file=str(path))) from error


def _document(path: Path) -> Any:
    return parse_json(_text(path), Where(file=str(path)))


def _of_lines(text: str, where: Where) -> Iterator[Exchange | InstanceError]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            here = Where(file=where.file, line=number)
            try:
                yield _tried(parse_json(line, here), here)
            except InstanceError as error:
                yield error


def _tried(document: Any, where: Where) -> Exchange | InstanceError:
    try:
        return _exchange(document, where)
    except InstanceError as error:
        return error


def _exchange(document: Any, where: Where) -> Exchange:
    """Return the exchange of a document. Raises InstanceError."""
    if not isinstance(document, Mapping):
        raise InstanceError("is no exchange, which is an object", where=where)
    if document.keys() >= _BATCH:
        return _of_batch(document, where)
    if "response" not in document and ("explanations" in document or "error" in document):
        what = "is an answer without its request"
        raise InstanceError(what, where=where, hint=_HINT)
    if "request" not in document and "instances" in document:
        what = "is a request without its answer"
        raise InstanceError(what, where=where, hint=_HINT)
    lost = [it for it in ("request", "response") if it not in document]
    if lost:
        raise InstanceError(f"has no '{lost[0]}'", where=where, hint=_HINT)
    for key in ("request", "response"):
        if not isinstance(document[key], Mapping):
            raise InstanceError("is no object", where=where.below(key))
    return Exchange(
        where=where, request=document["request"], response=document["response"],
        path=str(document.get("path", "")),
    )  # fmt: skip


_HINT = 'an exchange is {"request": {"instances": […]}, "response": {…}}'


def _of_batch(line: Mapping[str, Any], where: Where) -> Exchange:
    """Return what a line of a batch job's results is: a request of one instance, and its answer."""
    return Exchange(
        where=where,
        request={"instances": [line["instance"]]},
        response={
            "explanations": [line["explanation"]],
            **({"predictions": [line["prediction"]]} if "prediction" in line else {}),
        },
    )


def _of_har(document: Mapping[str, Any], where: Where) -> Iterator[Exchange | InstanceError]:
    """Yield the exchanges of a HAR file that explain something."""
    entries = document["log"].get("entries") if isinstance(document["log"], Mapping) else None
    if not isinstance(entries, list):
        raise InstanceError("is no HAR file: it has no log.entries", where=where)
    found = 0
    for number, entry in enumerate(entries):
        here = where.below(f"log.entries[{number}]")
        try:
            exchange = _of_entry(entry, here)
        except InstanceError as error:
            found += 1
            yield error
            continue
        if exchange is not None:
            found += 1
            yield exchange
    if not found:
        what = f"none of its {len(entries):,} entries explains anything"
        raise InstanceError(what, where=where)


def _of_entry(entry: Any, where: Where) -> Exchange | None:
    """Return what an entry explains, None where it explains nothing. Raises InstanceError."""
    try:
        request, response = entry["request"], entry["response"]
        url = str(request.get("url", "")).partition("?")[0]
        asked = (request.get("postData") or {}).get("text")
        content = response.get("content") or {}
        said = content.get("text")
    except (TypeError, KeyError, AttributeError):
        raise InstanceError("is no entry of a HAR file", where=where) from None
    explains = url.endswith((":explain", "/explain"))
    if not isinstance(asked, str) or '"instances"' not in asked:
        if not explains:
            return None
        raise InstanceError("was saved without the body of the request", where=where)
    if not isinstance(said, str):
        if not explains:
            return None
        what = "was saved without the body of the answer"
        raise InstanceError(what, where=where, hint="save the HAR file with content")
    if content.get("encoding") == "base64":
        try:
            said = base64.b64decode(said, validate=True).decode()
        except ValueError:  # no base64, or no UTF-8
            raise InstanceError("has an answer that is no text", where=where) from None
    if not explains and '"explanations"' not in said:
        return None
    status = response.get("status")
    if isinstance(status, int) and status >= 400:
        raise InstanceError(f"is answered by an error: {status} {said[:200]}", where=where)
    pair = {
        "request": parse_json(asked, where.below("request")),
        "response": parse_json(said, where.below("response")),
        "path": url,
    }
    return _exchange(pair, where)
