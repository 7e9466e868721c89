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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib import resources
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pellucid.api import Explanations, LoadedModel
from pellucid.errors import InstanceError, SpecError, meant
from pellucid.explain import LabelAttribution
from pellucid.inputs import (
    InputInfo,
    Instance,
    image_input_of,
    parse_json,
    read_image,
    read_request,
)
from pellucid.metadata import METHODS, Modality, Visualization
from pellucid.metadata.documents import parse_visualization
from pellucid.methods.texts import Cut, readable
from pellucid.notices import Where
from pellucid.responses import encode
from pellucid.serve.access_log import VISIT
from pellucid.serve.handler import Handler, Read
from pellucid.serve.http_errors import HttpError, server_words
from pellucid.serve.model_repository import Loaded
from pellucid.serve.offload import LARGE
from pellucid.serve.protocols import protocol_of
from pellucid.visualize import SeriesDrawing
from pellucid.visualize import encode as encode_picture

KEPT = 8
SIDE = 960
"""The longest side of a picture that is drawn on, in pixels: what a screen shows."""
BARS = 40
FILES = {"page.css": "text/css", "page.js": "text/javascript"}
EFFORTS = {name: it.effort for name, it in METHODS.items() if it.effort is not None}
"""The methods that can be drawn, with what a person turns first."""
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
    """What the page asks: an instance, how to explain it, and which label to draw how."""

    read: Read
    digest: str
    label: int
    visualization: Visualization


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
            Route("/page/{file}", self._file, methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Response:
        """Answer people with the page, and KServe's clients that the server is alive."""
        if "text/html" not in request.headers.get("accept", ""):
            return Response(encode({"status": "alive"}, indent=False), media_type=_JSON)
        return _asset("index.html", "text/html")

    async def _file(self, request: Request) -> Response:
        name = request.path_params["file"]
        if name not in FILES:
            document = {"error": f"there is nothing at {request.url.path[:200]}"}
            return Response(encode(document, indent=False), 404, media_type=_JSON)
        return _asset(name, FILES[name])

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
            _described(model.name, loaded)
            for model in self._handler.repository.models.values()
            if (loaded := model.default.loaded) is not None
        ]
        document = {"models": models, "methods": [_method(name) for name in EFFORTS]}
        return Response(encode(document, indent=False), media_type=_JSON)

    async def _explain(self, request: Request) -> Response:
        visit = request.scope[VISIT]
        visit.protocol, visit.verb = "page", "explain"
        offload = self._handler.offload

        async def handle(body: bytes) -> bytes:
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
            return await offload.do(LARGE, lambda: _drawn(explanations, wanted))

        return await self._handler.answer(request, self._errors, handle)

    def _keep(self, digest: str, explanations: Explanations) -> None:
        self._kept[digest] = explanations
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def _read(self, document: Mapping[str, object], loaded: Loaded) -> Wanted:
        asked = dict(document)
        known = ("model", "picture", "instance", "method", "label", "visualization", *NUMBERS)
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
        return Wanted(
            read=Read((instance,), model, same, most),
            digest=hashlib.sha256(json.dumps([loaded.generation, *what]).encode()).hexdigest(),
            label=_whole("label", asked.get("label", 0), least=0),
            visualization=parse_visualization(visualization),
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


def _asset(name: str, kind: str) -> Response:
    data = (resources.files("pellucid.serve.ui") / "static" / name).read_bytes()
    return Response(data, headers=HEADERS, media_type=f"{kind}; charset=utf-8")


def _whole(name: str, value: object, *, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SpecError(f"must be a whole number, {least} or more", where=Where(path=name))
    return value


def _described(name: str, loaded: Loaded) -> dict[str, Any]:
    """Return what the page has to know of a model to ask for an explanation."""
    model = loaded.model
    drawn = any(spec.modality is Modality.IMAGE for spec in model.metadata.inputs)
    picture = drawn and _takes_picture(model.inputs)
    method = model.parameters.method.name
    return {
        "name": name,
        "picture": picture,
        "text": any(info.is_string for info in model.inputs),
        "method": method if method in EFFORTS else next(iter(EFFORTS)),
        "outputs": loaded.outputs,
        "instance": None if picture else _skeleton(model.inputs),
    }


def _method(name: str) -> dict[str, Any]:
    """Return what the page has to know of a method to offer it."""
    method, effort = METHODS[name], EFFORTS[name]
    return {
        "name": name,
        "label": method.label,
        "explains_only": sorted(it.value for it in method.explains_only),
        "effort": {
            "label": effort.setting.capitalize(),
            "setting": effort.setting,
            "start": effort.start,
        },
    }


def _takes_picture(inputs: Sequence[InputInfo]) -> bool:
    if len(inputs) != 1:
        return False
    try:
        image_input_of(inputs, None)
    except InstanceError:
        return False
    return True


def _skeleton(inputs: Sequence[InputInfo]) -> Any:
    """Return an instance of zeros and empty strings, to be filled in."""

    def value(info: InputInfo) -> Any:
        made: Any = "" if info.is_string else False if info.dtype == "bool" else 0
        for size in reversed(info.instance_shape or ()):
            made = [made] * (size or 1)
        # One value is one value, however many brackets it wears.
        return made[0] if isinstance(made, list) and info.instance_shape == (1,) else made

    return {info.name: value(info) for info in inputs}


def _drawn(explanations: Explanations, wanted: Wanted) -> bytes:
    """Return the labels, and one of them drawn: over its picture, over time, or as bars."""
    explanation = explanations[0]
    label = explanation.labels[min(wanted.label, len(explanation.labels) - 1)]
    answer: dict[str, Any] = {
        "labels": [_label(item) for item in explanation.labels],
        "warnings": [it.sentence(server_words) for it in explanation.warnings],
    }
    drawings = explanations.draw(0, label, visualization=wanted.visualization)
    if not drawings:
        return encode({**answer, "bars": _bars(label, explanation.words)}, indent=False)
    drawing = next(iter(drawings.values()))
    if isinstance(drawing, SeriesDrawing):
        series = {"overlay": _url(drawing.overlay), "width": drawing.overlay.shape[1]}
        return encode({**answer, **series}, indent=False)
    settings = drawing.visualization
    answer |= {
        "original": _url(drawing.image),
        "overlay": _url(drawing.overlay),
        "width": drawing.image.shape[1],
        "empty": drawing.empty,
        "visualization": {
            it.name: getattr(value, "value", value)
            for it in fields(settings)
            for value in [getattr(settings, it.name)]
        },
    }
    return encode(answer, indent=False)


def _label(label: LabelAttribution) -> dict[str, Any]:
    return {
        "name": label.called,
        "score": label.score,
        "baseline": label.baseline_score,
        "quality": label.quality,
    }


def _bars(label: LabelAttribution, texts: Mapping[str, Cut]) -> list[dict[str, Any]]:
    """Return the strongest contributions, by feature, or by element where a feature has several.

    The elements of `texts` are called what the words are.
    """
    found: list[tuple[str, float]] = []
    for name, values in label.features.items():
        flat = np.asarray(values, np.float64)
        if flat.size == 1:
            found.append((name, float(flat.sum())))
            continue
        for place in np.argsort(-np.abs(flat), axis=None)[:BARS]:
            if name in texts:
                found.append((readable(texts[name].words[place]), float(flat[place])))
                continue
            index = np.unravel_index(place, flat.shape)
            found.append((f"{name}[{', '.join(map(str, index))}]", float(flat[index])))
    found = [item for item in found if item[1]] or found
    strongest = sorted(found, key=lambda item: -abs(item[1]))[:BARS]
    return [{"name": name, "value": value} for name, value in strongest]


def _url(pixels: Any) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_picture(pixels, "png")).decode()
