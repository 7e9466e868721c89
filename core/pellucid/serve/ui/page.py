"""The page at ``/``: a picture or an instance in, its explanation drawn, and drawn again.

What was explained last is kept, a few at a time, so that another label or another drawing of it
costs no gradients.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pellucid.api import Explanations, LoadedModel
from pellucid.errors import InstanceError, SpecError, meant
from pellucid.inputs import (
    Instance,
    parse_json,
    read_image,
    read_request,
)
from pellucid.metadata import METHODS, Modality, Visualization
from pellucid.metadata.documents import parse_visualization
from pellucid.notices import Where
from pellucid.responses import encode
from pellucid.serve.access_log import VISIT
from pellucid.serve.connection import Body
from pellucid.serve.handler import Handler, Read
from pellucid.serve.http_errors import HttpError
from pellucid.serve.model_repository import Loaded
from pellucid.serve.offload import LARGE
from pellucid.serve.protocols import protocol_of
from pellucid.serve.ui.describing import EFFORTS, described, method_described
from pellucid.serve.ui.drawn import drawn, saved

KEPT = 8
SIDE = 960
"""The longest side of a picture that is drawn on, in pixels: what a screen shows."""
_OWN, _GALLERY = "pellucid.serve.ui", "pellucid.gallery"
FILES = {
    "theme.css": (_GALLERY, "text/css"),
    "theme.js": (_GALLERY, "text/javascript"),
    "page.css": (_OWN, "text/css"),
    "address.js": (_OWN, "text/javascript"),
    "instance.js": (_OWN, "text/javascript"),
    "result.js": (_OWN, "text/javascript"),
    "page.js": (_OWN, "text/javascript"),
}
"""The page's style and scripts: the colours are those of the gallery."""
FORMS = ("png", "json")
"""What can be saved."""
NUMBERS = (*dict.fromkeys(it.setting for it in EFFORTS.values()), "top_k")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the page asks: an instance, how to explain it, and which label to draw or save how."""

    read: Read
    digest: str
    label: int
    visualization: Visualization
    form: str


class Page:
    """The routes of the page, and the explanations that it may ask to draw again."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._errors = protocol_of("/")
        self._kept: OrderedDict[str, Explanations] = OrderedDict()
        self.routes = [
            Route("/", self._page, methods=["GET"]),
            Route("/page/models", self._models, methods=["GET"]),
            Route("/page/explain", self._explain, methods=["POST"]),
            Route("/page/save", self._save, methods=["POST"]),
            Route("/page/{file}", self._file, methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Response:
        """Answer people with the page, and KServe's clients that the server is alive.

        Who says nothing of what is accepted gets the page.
        """
        if "text/html" not in request.headers.get("accept", "text/html"):
            return Response(encode({"status": "alive"}, indent=False), media_type=_JSON)
        return _asset(_OWN, "index.html", "text/html")

    async def _file(self, request: Request) -> Response:
        name = request.path_params["file"]
        if name not in FILES:
            document = {"error": f"there is nothing at {request.url.path[:200]}"}
            return Response(encode(document, indent=False), 404, media_type=_JSON)
        package, kind = FILES[name]
        return _asset(package, name, kind)

    async def _models(self, request: Request) -> Response:
        visit = request.scope[VISIT]
        visit.protocol = "page"
        try:
            self._handler.guard.check(request.headers)
        except HttpError as http_error:
            status, document = self._errors.refused(http_error)
            return Response(
                encode(document, indent=False), status, http_error.headers, media_type=_JSON
            )
        models = [
            described(model.name, loaded)
            for model in self._handler.repository.models.values()
            if (loaded := model.default.loaded) is not None
        ]
        document = {"models": models, "methods": [method_described(name) for name in EFFORTS]}
        return Response(encode(document, indent=False), media_type=_JSON)

    async def _explain(self, request: Request) -> Response:
        """Answer with labels, and one of them drawn."""

        def show(explanations: Explanations, wanted: Wanted) -> bytes:
            return drawn(explanations, wanted.label, wanted.visualization)

        return await self._asked(request, show)

    async def _save(self, request: Request) -> Response:
        """Answer the same question with a file: ``form`` is ``png`` or ``json``."""

        def save(explanations: Explanations, wanted: Wanted) -> bytes:
            return saved(explanations, wanted.label, wanted.visualization, wanted.form)

        return await self._asked(request, save)

    async def _asked(
        self, request: Request, show: Callable[[Explanations, Wanted], bytes]
    ) -> Response:
        visit = request.scope[VISIT]
        visit.protocol, visit.verb = "page", "explain"
        offload = self._handler.offload

        async def handle(body: Body) -> bytes:
            document = await offload.do(len(body), lambda: parse_json(body))
            if not isinstance(document, Mapping):
                raise SpecError("the request must be an object")
            name = document.get("model")
            loaded = await self._handler.repository.find(
                name if isinstance(name, str) else "", None
            )
            visit.model, visit.instances = str(name), 1
            wanted = await offload.do(len(body), lambda: self._read(document, loaded))
            explanations = self._kept.get(wanted.digest)
            if explanations is None:
                explanations = await self._handler.explain(wanted.read)
                self._keep(wanted.digest, explanations)
            return await offload.do(LARGE, lambda: show(explanations, wanted))

        return await self._handler.answer(request, self._errors, handle)

    def _keep(self, digest: str, explanations: Explanations) -> None:
        self._kept[digest] = explanations
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def _read(self, document: Mapping[str, object], loaded: Loaded) -> Wanted:
        asked = dict(document)
        known = (
            "model", "picture", "instance", "method", "label", "visualization", "form", *NUMBERS
        )  # fmt: skip
        for key in asked:
            if key not in known:
                raise SpecError(f"unknown key '{key}'", hint=meant(key, known))
        settings: dict[str, Any] = {n: _whole(n, asked[n]) for n in NUMBERS if n in asked}
        method = asked.get("method")
        if method is not None and method not in EFFORTS:
            fault = f"{json.dumps(method)[:50]} is none of {', '.join(EFFORTS)}"
            raise SpecError(fault, where=Where(path="method"))
        chosen = loaded.model.parameters.method.name if method is None else str(method)
        if chosen not in EFFORTS:
            raise SpecError(
                "neighbors cannot be drawn here",
                where=Where(path="method"),
                hint="choose another method",
            )
        if method is not None:
            settings["method"] = method
        kinds = {spec.modality for spec in loaded.model.metadata.inputs} - {Modality.IMAGE}
        settings |= METHODS[chosen].suiting({Modality.IMAGE} if "picture" in asked else kinds)
        model = loaded.model.configured(**settings)
        instance = self._instance(asked, model)
        limits = self._handler.limits
        most = limits.check([instance], model.parameters, loaded.model.parameters, loaded.outputs)
        visualization = asked.get("visualization") or {}
        if not isinstance(visualization, Mapping):
            raise SpecError("must be an object", where=Where(path="visualization"))
        what = [asked.get(k) for k in ("picture", "instance", "method", *NUMBERS)]
        same = (loaded.generation, "page", str(settings))
        form = asked.get("form", FORMS[0])
        if form not in FORMS:
            raise SpecError(f"must be {' or '.join(FORMS)}", where=Where(path="form"))
        return Wanted(
            read=Read((instance,), model, same, most),
            digest=hashlib.sha256(json.dumps([loaded.generation, *what]).encode()).hexdigest(),
            label=_whole("label", asked.get("label", 0), least=0),
            visualization=parse_visualization(visualization),
            form=form,
        )

    def _instance(self, asked: Mapping[str, object], model: LoadedModel) -> Instance:
        if "picture" not in asked:
            request = {"instances": [asked.get("instance")]}
            return read_request(request, model.inputs).instances[0]
        try:
            data = base64.b64decode(str(asked["picture"]), validate=True)
        except (binascii.Error, ValueError):
            raise InstanceError("the picture is not valid base64") from None
        self._handler.limits.check_picture(data, "the picture")
        instance = read_image(data, model.inputs)
        assert instance.image is not None, "what was read from a picture has one"
        small = instance.image.copy()
        small.thumbnail((SIDE, SIDE))
        return replace(instance, image=small)


_JSON = "application/json"


def _asset(package: str, name: str, kind: str) -> Response:
    data = (resources.files(package) / "static" / name).read_bytes()
    return Response(data, headers=HEADERS, media_type=f"{kind}; charset=utf-8")


def _whole(name: str, value: object, *, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SpecError(f"must be a whole number, {least} or more", where=Where(path=name))
    return value
