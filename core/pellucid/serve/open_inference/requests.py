"""What a request of the Open Inference Protocol asks, and what is written back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np
import orjson

from pellucid.errors import InstanceError, meant
from pellucid.inputs import InputInfo, parse_json, shape_text
from pellucid.model import Array, Tensors
from pellucid.notices import Where
from pellucid.open_inference import (
    TensorError,
    datatype_of,
    from_bytes,
    from_json,
    to_bytes,
    to_json,
)
from pellucid.saved_model import TensorInfo
from pellucid.serve.connection import Body
from pellucid.serve.http_errors import HttpError


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that was understood: its tensors [n, …], and how it is to be answered.

    `outputs` are those that are asked for, each with whether it comes as raw bytes; `rows` is how
    many instances there are.
    """

    tensors: Mapping[str, Array]
    rows: int
    outputs: Mapping[str, bool]
    id: str | None
    parameters: Mapping[str, object]


def read(
    body: Body,
    header_length: str | None,
    inputs: Sequence[InputInfo],
    outputs: Sequence[str],
) -> Wanted:
    """Return what a body asks for; `header_length` is its header of that name.

    Raises InstanceError and HttpError for what is no such request.
    """
    head, data = _parts(body, header_length)
    document = parse_json(head)
    if not isinstance(document, dict) or not isinstance(document.get("inputs"), list):
        raise InstanceError('a request is an object, {"inputs": [{"name": …}]}')
    tensors: dict[str, Array] = {}
    known = {info.name: info for info in inputs}
    for place, given in enumerate(document["inputs"]):
        where = Where(path=f"inputs[{place}]")
        info = _info(given, known, tensors, where)
        try:
            tensors[info.name], data = _tensor(given, info, data)
        except TensorError as error:
            raise InstanceError(f"'{info.name}': {error}", where=where) from error
    if len(data):
        raise InstanceError(f"{len(data):,} bytes follow those of the inputs")
    missing = [name for name in known if name not in tensors]
    if missing:
        raise InstanceError(f"input '{missing[0]}' is missing")
    rows = {len(value) for value in tensors.values()}
    if len(rows) != 1 or not max(rows):
        shapes = ", ".join(f"'{name}' {list(value.shape)}" for name, value in tensors.items())
        raise InstanceError(f"the inputs have one number of rows, above 0: {shapes}")
    parameters = document.get("parameters", {})
    if not isinstance(parameters, dict):
        raise InstanceError("'parameters' is no object")
    asked = _asked(document.get("outputs"), outputs, parameters.get("binary_data_output") is True)
    found = document.get("id")
    return Wanted(tensors, rows.pop(), asked, None if found is None else str(found), parameters)


def _parts(body: Body, header_length: str | None) -> tuple[Body, memoryview]:
    if header_length is None:
        return body, memoryview(b"")
    if not header_length.isdecimal() or int(header_length) > len(body):
        raise HttpError(
            HTTPStatus.BAD_REQUEST,
            f"the header of {header_length[:20]} bytes is not in the {len(body):,} of the body",
        )
    return body[: int(header_length)], memoryview(body)[int(header_length) :]


def _info(given: object, known: Mapping[str, InputInfo], there: Tensors, where: Where) -> InputInfo:
    name = given.get("name") if isinstance(given, dict) else None
    if not isinstance(name, str) or name not in known:
        hint = meant(str(name), [*known]) or f"the inputs are {', '.join(known)}"
        raise InstanceError(f"unknown input {str(name)[:50]!r}", where=where, hint=hint)
    if name in there:
        raise InstanceError(f"input '{name}' is given twice", where=where)
    return known[name]


def _tensor(
    given: Mapping[str, Any], info: InputInfo, data: memoryview
) -> tuple[Array, memoryview]:
    """Return a tensor with an axis of rows, and the bytes that are left."""
    shape, datatype = given.get("shape"), given.get("datatype")
    if not isinstance(shape, list) or not all(type(it) is int and it >= 0 for it in shape):
        raise TensorError("'shape' is no list of sizes")
    wanted = datatype_of(info.dtype)
    if datatype != wanted:
        raise TensorError(f"the model takes {wanted}, not {str(datatype)[:20]}")
    own = shape[1:] if info.batch else shape
    expected = info.instance_shape
    if (info.batch and not shape) or (
        expected is not None
        and (
            len(own) != len(expected)
            or any(w is not None and s != w for s, w in zip(own, expected, strict=True))
        )
    ):
        rows = ("rows of " if info.batch else "") + shape_text(expected or ())
        raise TensorError(f"the model takes {rows}, not {shape}")
    parameters = given.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        values = from_json(given.get("data"), wanted, shape)
    elif type(size) is not int or not 0 <= size <= len(data):
        raise TensorError(f"there are no {size} bytes of data")
    else:
        values, data = from_bytes(data[:size], wanted, shape), data[size:]
    return (values if info.batch else values[np.newaxis]), data


def _asked(given: object, outputs: Sequence[str], binary: bool) -> dict[str, bool]:
    if given in (None, []):
        return dict.fromkeys(outputs, binary)
    if not isinstance(given, list):
        raise InstanceError("'outputs' is no list")
    asked: dict[str, bool] = {}
    for place, it in enumerate(given):
        name = it.get("name") if isinstance(it, dict) else None
        if not isinstance(name, str) or name not in outputs:
            hint = f"the outputs are {', '.join(outputs)}"
            where = Where(path=f"outputs[{place}]")
            raise InstanceError(f"unknown output {str(name)[:50]!r}", where=where, hint=hint)
        own = it.get("parameters")
        own = own.get("binary_data") if isinstance(own, dict) else None
        asked[name] = binary if own is None else own is True
    return asked


def written(
    model: str, version: str, wanted: Wanted, found: Tensors, infos: Mapping[str, TensorInfo]
) -> tuple[bytes, int | None]:
    """Return the body of an answer, and the length of its header where raw bytes follow it.

    Raises InstanceError for what JSON cannot hold.
    """
    outputs, parts = list[dict[str, Any]](), list[Body]()
    for name, binary in wanted.outputs.items():
        datatype = datatype_of(infos[name].dtype)
        tensor: dict[str, Any] = {
            "name": name, "datatype": datatype, "shape": list(found[name].shape)
        }  # fmt: skip
        try:
            if binary:
                parts.append(to_bytes(found[name], datatype))
                tensor["parameters"] = {"binary_data_size": len(parts[-1])}
            else:
                tensor["data"] = to_json(found[name], datatype)
        except TensorError as error:
            raise InstanceError(f"output '{name}': {error}") from error
        outputs.append(tensor)
    document: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": outputs}
    if wanted.id is not None:
        document["id"] = wanted.id
    head = orjson.dumps(document)
    return (b"".join([head, *parts]), len(head)) if parts else (head, None)
