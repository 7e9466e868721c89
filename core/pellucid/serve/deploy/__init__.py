"""Files to deploy the server with: for Docker, Kubernetes, KServe and Vertex AI."""

from __future__ import annotations

from importlib import resources

DEPLOYMENTS = {
    "docker": "Dockerfile",
    "compose": "compose.yaml",
    "kserve": "kserve.yaml",
    "kubernetes": "kubernetes.yaml",
    "vertex": "vertex.sh",
}
"""The files by what they are for."""


def deployment(kind: str) -> str:
    """Return the text of one of the `DEPLOYMENTS`."""
    return (resources.files(__name__) / DEPLOYMENTS[kind]).read_text(encoding="utf-8")
