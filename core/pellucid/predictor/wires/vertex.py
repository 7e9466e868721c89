"""Vertex AI's ``endpoints.predict``, and a custom container's route: as KServe's V1."""

from __future__ import annotations

from pellucid.predictor.wires.kserve_v1 import KServeV1


class VertexWire(KServeV1):
    """Rows as JSON, at the address that was given."""

    @property
    def path(self) -> str:
        return self.predictor.route
