"""``/v1/models/NAME[/versions/N]/metadata``: what a model takes, as TensorFlow Serving says it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pellucid.responses import encode
from pellucid.saved_model import TensorInfo
from pellucid.serve.access_log import VISIT
from pellucid.serve.handler import Handler
from pellucid.serve.http_errors import HttpError
from pellucid.serve.protocols import protocol_of

_PLACES = ("/v1/models/{model}", "/v1/models/{model}/versions/{version}")
_DTYPES = {"float16": "HALF", "float32": "FLOAT", "float64": "DOUBLE"}


class ServingMetadata:
    """The routes of the models' metadata."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.routes = [
            Route(f"{place}/metadata", self._answer, methods=["GET"]) for place in _PLACES
        ]

    async def _answer(self, request: Request) -> Response:
        visit = request.scope[VISIT]
        visit.protocol = "tf-serving"
        protocol = protocol_of("/v1/models/")
        headers: Mapping[str, str] = {}
        try:
            self._handler.guard.check(request.headers)
            status, document = HTTPStatus.OK, await self._described(request)
        except HttpError as error:
            visit.error = error.message[:500]
            (code, document), headers = protocol.refused(error), error.headers
            status = HTTPStatus(code)
        data = encode(document, indent=False)
        return Response(data, status, headers, media_type="application/json")

    async def _described(self, request: Request) -> dict[str, Any]:
        name, version = request.path_params["model"], request.path_params.get("version")
        loaded = await self._handler.repository.find(name, version)
        default = self._handler.repository.named(name).default.name
        signature = loaded.model.compiler.signature
        described = {
            "inputs": {key: _tensor(it) for key, it in signature.inputs.items()},
            "outputs": {key: _tensor(it) for key, it in signature.outputs.items()},
            "method_name": signature.method_name,
        }
        spec = {"name": name, "signature_name": "", "version": version or default}
        signatures = {"signature_def": {loaded.model.signature: described}}
        return {"model_spec": spec, "metadata": {"signature_def": signatures}}


def _tensor(info: TensorInfo) -> dict[str, Any]:
    sizes = () if info.shape is None else info.shape
    axes = [{"size": str(-1 if size is None else size), "name": ""} for size in sizes]
    return {
        "dtype": f"DT_{_DTYPES.get(info.dtype, info.dtype.upper())}",
        "tensor_shape": {"dim": axes, "unknown_rank": info.shape is None},
        "name": info.name,
    }
