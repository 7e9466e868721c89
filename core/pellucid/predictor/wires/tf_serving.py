"""TensorFlow Serving's REST API, in its columnar format: one array for each input and output."""

from __future__ import annotations

from pellucid.model import Array, Tensors
from pellucid.predictor.connection import Body, Call, Connection
from pellucid.predictor.settings import Predictor
from pellucid.predictor.wires.json_values import RowTexts, as_json, dump
from pellucid.predictor.wires.wire import Wire
from pellucid.saved_model import Signature


class TensorFlowServing(Wire):
    """Columns as JSON."""

    def __init__(self, predictor: Predictor, signature: Signature, *, batched: bool) -> None:
        super().__init__(predictor, signature, batched=batched)
        self._texts = RowTexts(predictor.request_bytes)

    def row_bytes(self, rows: Tensors) -> int:
        return self._texts.row_bytes(rows)

    def ask(self, connection: Connection, call: Call, rows: Tensors) -> dict[str, Array]:
        path = f"/v1/models/{self.predictor.model}{self.predictor.version_path}:predict"
        body: Body | None = None
        if self.batched and len(rows) == 1:
            head = dump({"signature_name": self.signature.key, "inputs": {key: [] for key in rows}})
            body = self._texts.grid(rows, head.removesuffix(b"]}}"), b"]}}")
        if body is None:
            columns = {key: as_json(key, values) for key, values in rows.items()}
            body = dump({"signature_name": self.signature.key, "inputs": columns})
        answer = connection.ask(call, path, body, {"Content-Type": "application/json"})
        document = self.document(answer)
        if "outputs" not in document:
            raise self.wrong("answers without outputs")
        found = document["outputs"]
        if not isinstance(found, dict):
            if len(self.signature.outputs) > 1:
                raise self.wrong("answers one output without a name, and the model has several")
            found = {next(iter(self.signature.outputs)): found}
        return self.checked(found, rows)
