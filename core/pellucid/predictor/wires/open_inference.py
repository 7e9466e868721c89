"""The Open Inference Protocol (V2): columns, as raw bytes where the server takes them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import orjson

from pellucid.model import Array, Tensors
from pellucid.open_inference import (
    BINARY_EXTENSION,
    HEADER_LENGTH,
    TensorError,
    datatype_of,
    from_bytes,
    from_json,
    to_bytes,
)
from pellucid.predictor.connection import Answer, Body, Call, Connection
from pellucid.predictor.settings import Predictor
from pellucid.predictor.wires.json_values import as_json, dump, json_bytes_of
from pellucid.predictor.wires.wire import Wire
from pellucid.saved_model import Signature

_WORD = 64
"""Numbers behind a head of so many bytes, or a multiple, can be computed with where they lie."""


class OpenInference(Wire):
    """Columns as raw bytes or as JSON; which of them, the server is asked once."""

    def __init__(self, predictor: Predictor, signature: Signature, *, batched: bool) -> None:
        super().__init__(predictor, signature, batched=batched)
        self._asking = threading.Lock()
        self._binary: bool | None = None

    def row_bytes(self, rows: Tensors) -> int:
        if self._binary is False:
            return json_bytes_of(rows)
        numbers = sum(it[:1].nbytes for it in rows.values() if it.dtype != object)
        strings = (len(text) for it in rows.values() if it.dtype == object for text in it[:1].flat)
        return numbers + sum(4 + size for size in strings)

    def ask(self, connection: Connection, call: Call, rows: Tensors) -> dict[str, Array]:
        model = self.predictor
        path = f"/v2/models/{model.model}{model.version_path}/infer"
        body, headers = self._request(rows, binary=self._takes_bytes(connection, call))
        return self.checked(self._outputs(connection.ask(call, path, body, headers)), rows)

    def _takes_bytes(self, connection: Connection, call: Call) -> bool:
        with self._asking:
            if self._binary is None:
                answer = connection.ask(call, "/v2")
                try:
                    found = orjson.loads(answer.body) if answer.status == 200 else None
                except ValueError:
                    found = None
                said = found.get("extensions") if isinstance(found, dict) else None
                self._binary = isinstance(said, list) and BINARY_EXTENSION in said
            return self._binary

    def _request(self, rows: Tensors, *, binary: bool) -> tuple[Body, dict[str, str]]:
        inputs, parts = list[dict[str, Any]](), list[bytes | memoryview]()
        for key, values in rows.items():
            datatype = datatype_of(self.signature.inputs[key].dtype)
            tensor: dict[str, Any] = {
                "name": key,
                "shape": list(values.shape),
                "datatype": datatype,
            }
            if binary:
                parts.append(to_bytes(values, datatype))
                tensor["parameters"] = {"binary_data_size": len(parts[-1])}
            else:
                tensor["data"] = as_json(key, values.ravel())
            inputs.append(tensor)
        outputs: list[dict[str, Any]] = [{"name": key} for key in self.signature.outputs]
        for output in outputs if binary else ():
            output["parameters"] = {"binary_data": True}
        head = dump({"inputs": inputs, "outputs": outputs})
        if not binary:
            return head, {"Content-Type": "application/json"}
        head += b" " * (-len(head) % _WORD)
        headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(head))}
        return [head, *parts], headers

    def _outputs(self, answer: Answer) -> dict[str, Any]:
        written = answer.headers.get(HEADER_LENGTH, "")
        length = int(written) if written.isdecimal() else len(answer.body)
        document = self.document(answer, answer.body[:length])
        data = memoryview(answer.body)[length:]
        outputs = document.get("outputs")
        if not isinstance(outputs, list) or not all(isinstance(it, dict) for it in outputs):
            raise self.wrong("answers without a list of outputs")
        found = {}
        for output in outputs:
            name, size = str(output.get("name")), _binary_size(output)
            try:
                found[name] = self._output(output, None if size is None else data[:size])
            except (TensorError, ValueError, TypeError) as error:
                raise self.wrong(f"gives an output '{name}' that is none: {error}") from error
            data = data[size or 0 :]
        return found

    def _output(self, output: dict[str, Any], data: memoryview | None) -> Array:
        shape, datatype = output.get("shape"), str(output.get("datatype"))
        if not isinstance(shape, list) or not all(type(it) is int and it >= 0 for it in shape):
            raise TensorError("it has no shape")
        if data is not None:
            return from_bytes(data, datatype, shape)
        given = output.get("data")
        if isinstance(given, list) and datatype.startswith("FP") and None in given:
            given = [np.nan if it is None else it for it in given]
        return from_json(given, datatype, shape)


def _binary_size(output: dict[str, Any]) -> int | None:
    parameters = output.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    return size if type(size) is int and size >= 0 else None
