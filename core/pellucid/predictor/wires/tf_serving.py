"""TensorFlow Serving's REST API, in its columnar format: one array for each input and output."""

from __future__ import annotations

from pellucid.model import Array, Tensors
from pellucid.predictor.connection import Call, Connection
from pellucid.predictor.wires.json_values import as_json, dump, json_bytes_of
from pellucid.predictor.wires.wire import Wire


class TensorFlowServing(Wire):
    """Columns as JSON."""

    def row_bytes(self, rows: Tensors) -> int:
        return json_bytes_of(rows)

    def ask(self, connection: Connection, call: Call, rows: Tensors) -> dict[str, Array]:
        path = f"/v1/models/{self.predictor.model}{self.predictor.version_path}:predict"
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
