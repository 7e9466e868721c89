"""HTTP: the protocols of KServe, AI Platform and Vertex over models that are loaded here.

The way of a request: `app` routes it to a protocol; `handler` admits it, reads it, and has it
answered before its deadline; `batcher` gathers what waits into blocks, and has them computed;
`offload` has threads that read and write; the protocol says what. `model_repository` holds the
models and loads them anew when their directories change.
"""

from __future__ import annotations

from pellucid.serve.auth import Guard, is_loopback, read_token
from pellucid.serve.deploy import DEPLOYMENTS, deployment
from pellucid.serve.limits import Limits
from pellucid.serve.model_repository import ModelEntry, model_entries
from pellucid.serve.tf_serving import base_entries, config_entries

__all__ = [
    "DEPLOYMENTS",
    "Guard",
    "Limits",
    "ModelEntry",
    "base_entries",
    "config_entries",
    "deployment",
    "is_loopback",
    "model_entries",
    "read_token",
]
