"""The Open Inference Protocol (V2) over the models that are served: health, metadata, infer."""

from __future__ import annotations

from pellucid.serve.open_inference.endpoints import OpenInference

__all__ = ["OpenInference"]
