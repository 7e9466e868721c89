"""The two routes of a Vertex AI custom container: is the model ready, and what does it predict.

https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
"""

from __future__ import annotations

from pellucid.serve.container.endpoints import ContainerRoutes, VertexContainer

__all__ = ["ContainerRoutes", "VertexContainer"]
