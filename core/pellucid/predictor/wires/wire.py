"""What every protocol of a predictor has in common: a request, and what is wrong with an answer."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from http import HTTPStatus
from typing import Any

import numpy as np
import orjson

from pellucid.errors import InstanceError, PredictorError
from pellucid.model import Array, Tensors
from pellucid.predictor.connection import Answer, Call, Connection, TooLargeError
from pellucid.predictor.settings import Predictor
from pellucid.printable import printable
from pellucid.saved_model import Signature, TensorInfo

_LONGEST = 200
_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)


class Wire(ABC):
    """One protocol, for one signature; `batched` tells that arrays have an axis of rows."""

    def __init__(self, predictor: Predictor, signature: Signature, *, batched: bool) -> None:
        self.predictor = predictor
        self.signature = signature
        self.batched = batched

    @abstractmethod
    def row_bytes(self, rows: Tensors) -> int:
        """Return about how many bytes one of the rows takes in a request."""

    @abstractmethod
    def ask(self, connection: Connection, call: Call, rows: Tensors) -> dict[str, Array]:
        """Return every output for rows, by key, as `checked`.

        Raises PredictorError, InstanceError, Cancelled, TooLargeError.
        """

    def checked(self, found: dict[str, Any], rows: Tensors) -> dict[str, Array]:
        """Return the outputs as the signature has them, of as many rows as were asked.

        Raises PredictorError where they are not.
        """
        missing = [key for key in self.signature.outputs if key not in found]
        if missing:
            there = ", ".join(f"'{key}'" for key in found) or "none"
            raise self.wrong(f"gives no output '{missing[0]}'; there are {there}")
        count = len(next(iter(rows.values()))) if self.batched else None
        return {
            key: self._checked(key, found[key], info, count)
            for key, info in self.signature.outputs.items()
        }

    def _checked(self, key: str, value: Any, info: TensorInfo, count: int | None) -> Array:
        array = _array_of(value, info)
        if array is None:
            raise self.wrong(f"gives for output '{key}' what is no {info.dtype} of one shape")
        if count is not None and (array.ndim == 0 or len(array) != count):
            given = len(array) if array.ndim else "no"
            raise self.wrong(f"gives {given} rows of output '{key}' for {count}")
        wanted = info.shape
        if wanted is not None:
            # Of a batch, how many rows it may have has been said by the request.
            pairs = [*zip(array.shape, wanted, strict=False)][0 if count is None else 1 :]
            if array.ndim != len(wanted) or any(w is not None and s != w for s, w in pairs):
                shape = ", ".join("?" if it is None else str(it) for it in wanted)
                raise self.wrong(
                    f"gives output '{key}' of shape {list(array.shape)}, and its signature says "
                    f"[{shape}]"
                )
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise self.wrong(f"gives NaN in output '{key}'")
        return array

    def document(self, answer: Answer, body: bytes | None = None) -> dict[str, Any]:
        """Return the JSON object of an answer. Raises what its status says otherwise."""
        check_status(self.predictor, answer)
        return document_of(self.predictor, answer, answer.body if body is None else body)

    def wrong(self, what: str) -> PredictorError:
        """Return the error of an answer that is not what it should be."""
        return _wrong(self.predictor, what)


def document_of(predictor: Predictor, answer: Answer, body: bytes) -> dict[str, Any]:
    """Return the JSON object of an answer. Raises PredictorError."""
    kind = _kind(answer)
    try:
        found = _json(body)
    except ValueError as error:
        other = f"{kind} instead of JSON" if "json" not in kind else "what is no JSON"
        raise _wrong(predictor, f"answers with {other}") from error
    if not isinstance(found, dict):
        raise _wrong(predictor, "answers with JSON that is no object")
    return found


def check_status(predictor: Predictor, answer: Answer) -> None:
    """Raise what a status says that is not 200: TooLargeError, InstanceError, PredictorError."""
    status = answer.status
    if status == HTTPStatus.OK:
        return
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        raise TooLargeError("the predictor answers 413")
    said = _said(answer)
    if 300 <= status < 400:
        place = printable(answer.headers.get("Location", "another address"))[:_LONGEST]
        what = f"redirects to {place}, which is not followed"
        raise _wrong(predictor, what, "give that address if it is right")
    if status in _REFUSED:
        what = f"refuses what it is asked ({status}){said}"
        raise InstanceError(what, where=predictor.where)
    hint = None
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        hint = "give a file with its token"
    if status == HTTPStatus.NOT_FOUND:
        hint = "look whether the address names a model that is there"
    raise _wrong(predictor, f"answers {status}{said}", hint)


def _wrong(predictor: Predictor, what: str, hint: str | None = None) -> PredictorError:
    return PredictorError(what, answered=True, where=predictor.where, hint=hint)


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except ValueError:
        try:
            return json.loads(data)  # which knows NaN, as TensorFlow Serving writes it
        except RecursionError:
            raise ValueError("lists are nested too deeply") from None


def _array_of(value: Any, info: TensorInfo) -> Array | None:
    """Return an output as the signature has it, None where it is something else."""
    if info.dtype == "string":
        array = np.array(value, object)
        flat = [it.encode() if isinstance(it, str) else it for it in array.ravel()]
        if not all(isinstance(it, bytes) for it in flat):
            return None
        strings = np.empty(array.size, object)
        strings[:] = flat
        return strings.reshape(array.shape)
    try:
        found = np.asarray(value)
        wanted = np.dtype("float32" if info.dtype == "bfloat16" else info.dtype)
        if found.dtype.kind == "O":  # a null is no number; beside numbers, it is NaN
            found = np.array(value, np.float64)
    except (ValueError, TypeError):
        return None
    kinds = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}.get(wanted.kind, "")
    if found.dtype.kind not in kinds:
        return None
    return found.astype(wanted, copy=False)


def _kind(answer: Answer) -> str:
    return printable(answer.headers.get("Content-Type", "").partition(";")[0]) or "something"


def _said(answer: Answer) -> str:
    """Return what an answer says of an error, behind a colon; nothing of a page for browsers."""
    try:
        found = _json(answer.body)
    except ValueError:
        kind = _kind(answer)
        return f" with {kind}" if kind != "text/plain" else ""
    for _ in range(2):  # {"error": "…"}, {"error": {"message": "…"}}, {"detail": "…"}
        if isinstance(found, dict):
            keys = ("error", "message", "detail")
            found = next((found[key] for key in keys if key in found), None)
    text = printable(found)[:_LONGEST] if isinstance(found, str) else ""
    return f": {text}" if text else ""
