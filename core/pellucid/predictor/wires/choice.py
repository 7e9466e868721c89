"""Which protocol is spoken with a predictor."""

from __future__ import annotations

from pellucid.predictor.settings import Predictor, PredictorProtocol
from pellucid.predictor.wires.kserve_v1 import KServeV1
from pellucid.predictor.wires.open_inference import OpenInference
from pellucid.predictor.wires.tf_serving import TensorFlowServing
from pellucid.predictor.wires.vertex import VertexWire
from pellucid.predictor.wires.wire import Wire
from pellucid.saved_model import Signature

_WIRES: dict[PredictorProtocol, type[Wire]] = {
    PredictorProtocol.KSERVE_V1: KServeV1,
    PredictorProtocol.OIP_V2: OpenInference,
    PredictorProtocol.TF_SERVING: TensorFlowServing,
    PredictorProtocol.VERTEX: VertexWire,
}


def wire_of(predictor: Predictor, signature: Signature, *, batched: bool) -> Wire:
    """Return how a predictor is asked; `batched` tells that arrays have an axis of rows."""
    return _WIRES[predictor.protocol](predictor, signature, batched=batched)
