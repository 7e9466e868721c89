"""KServe's V1 protocol: ``{"instances": […]}`` to ``:predict``, ``{"predictions": […]}`` back.

A row is a bare value where the model has one input, and an object of them by key where it has more,
as TensorFlow Serving's row format, which the protocol comes from.
"""

from __future__ import annotations

from typing import Any

from pellucid.errors import SpecError
from pellucid.model import Array, Tensors
from pellucid.predictor.connection import Body, Call, Connection
from pellucid.predictor.settings import Predictor
from pellucid.predictor.wires.json_values import RowTexts, as_json, dump
from pellucid.predictor.wires.wire import Wire
from pellucid.saved_model import Signature


class KServeV1(Wire):
    """Rows as JSON."""

    def __init__(self, predictor: Predictor, signature: Signature, *, batched: bool) -> None:
        super().__init__(predictor, signature, batched=batched)
        self._texts = RowTexts(predictor.request_bytes)

    @property
    def path(self) -> str:
        """Where rows are asked for."""
        return f"/v1/models/{self.predictor.model}{self.predictor.version_path}:predict"

    def row_bytes(self, rows: Tensors) -> int:
        return self._texts.row_bytes(rows)

    def ask(self, connection: Connection, call: Call, rows: Tensors) -> dict[str, Array]:
        body: Body | None = None
        if self.batched:
            body = self._texts.grid(rows, b'{"instances":[', b"]}")
        body = body or dump({"instances": self._instances(rows)})
        answer = connection.ask(call, self.path, body, {"Content-Type": "application/json"})
        predictions = self.document(answer).get("predictions")
        if not isinstance(predictions, list):
            raise self.wrong("answers without a list of predictions")
        return self.checked(self._by_key(predictions), rows)

    def _instances(self, rows: Tensors) -> Any:
        if not self.batched:
            raise SpecError(
                "the model takes one instance at a time, without an axis for rows, which the "
                "protocol of this predictor cannot ask for",
                hint="ask it by the Open Inference Protocol, or as TensorFlow Serving",
            )
        columns = {key: as_json(key, values) for key, values in rows.items()}
        if len(columns) == 1:
            return next(iter(columns.values()))
        keys = list(columns)
        return [dict(zip(keys, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _by_key(self, predictions: list[Any]) -> dict[str, Any]:
        keys = list(self.signature.outputs)
        if predictions and all(isinstance(it, dict) for it in predictions):
            named = [key for key in keys if all(key in it for it in predictions)]
            if not named:
                return dict.fromkeys(predictions[0])  # of which the keys are said
            return {key: [it[key] for it in predictions] for key in named}
        if len(keys) > 1:
            raise self.wrong(f"answers without names, and the model has {len(keys)} outputs")
        return {keys[0]: predictions}
