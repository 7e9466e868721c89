"""The protocols that predictors speak: how each asks for rows, and what it says of a model."""

from __future__ import annotations

from pellucid.predictor.wires.choice import wire_of
from pellucid.predictor.wires.wire import Wire, check_status, document_of

__all__ = ["Wire", "check_status", "document_of", "wire_of"]
