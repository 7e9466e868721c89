"""KServe's V1 protocol: ``/v1/models/NAME``, ``:predict`` and ``:explain``.

TensorFlow Serving's REST API has the same paths, beside ``/v1/models/NAME/versions/N``, the same
rows, and columns. Readiness is that of a model: 200 and ``"ready": true``, or 503. Errors are
``{"error": "…"}``. A request with a key of KServe's explainer (``top_labels``, ``num_samples``, …)
is answered by LIME in its form, and so is every request to a model that is served with LIME; texts,
which that explainer did not know, are answered as by AI Platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pellucid.api import Explanations, LoadedModel
from pellucid.metadata import KSERVE_KEYS
from pellucid.responses import of_patches
from pellucid.serve.http_errors import HttpError
from pellucid.serve.model_repository import ModelEntry
from pellucid.serve.protocols.protocol import Protocol, Target


class KServe(Protocol):
    """KServe, version 1 of its data plane."""

    name = "kserve"
    title = "KServe V1"
    full = HTTPStatus.SERVICE_UNAVAILABLE
    columnar = True
    paths = ("/v1/models/{target}", "/v1/models/{model}/versions/{target}")
    override = KSERVE_KEYS

    def configured(self, model: LoadedModel, request: Mapping[str, object]) -> LoadedModel:
        given = {key: request[key] for key in KSERVE_KEYS if key in request}
        if not given and model.parameters.method.shown_patches is None:
            return model
        return model.as_kserve().requested(given)

    def explained(self, explanations: Explanations, target: Target) -> dict[str, Any]:
        lime = explanations.parameters.method.shown_patches is not None
        return (
            explanations.kserve() if lime and of_patches(explanations) else explanations.response()
        )

    def predicted(self, predictions: Sequence[Any], target: Target) -> dict[str, Any]:
        return {"predictions": list(predictions)}

    def described(self, model: ModelEntry, target: Target) -> tuple[int, dict[str, Any]]:
        found = model.default
        if target.version is not None:
            if target.version not in model.versions:
                what = f"model '{model.name}' has no version '{target.version[:50]}'"
                raise HttpError(HTTPStatus.NOT_FOUND, what)
            found = model.versions[target.version]
        ready = found.loaded is not None
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        shown = model.versions.values() if target.version is None else [found]
        return status, {
            "name": model.name,
            "ready": ready,
            "model_version_status": [
                {
                    "version": it.name,
                    "state": "START" if it.loaded is None else "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
                for it in shown
            ],
        }
