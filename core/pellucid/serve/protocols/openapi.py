"""The OpenAPI document of a server: its paths, and what each of its models takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import numpy as np

from pellucid.inputs import BEYOND_BFLOAT16, InputInfo
from pellucid.open_inference import datatype_of
from pellucid.serve.limits import Limits
from pellucid.serve.model_repository import ModelRepository
from pellucid.serve.protocols.protocol import GOOGLE_ERROR, PLAIN_ERROR, Protocol

Schema = dict[str, Any]

PLACE = "[A-Za-z0-9._:-]+"
"""What a project or a location may be called: whatever it is, its models are those served here."""

# Of either alphabet, with or without padding.
_BASE64 = r"^([A-Za-z0-9+/_-]{4})*([A-Za-z0-9+/_-]{2,3})?={0,2}$"
_TEXT: Schema = {"type": "string"}
_BINARY: Schema = {
    "type": "object",
    "properties": {"b64": {"type": "string", "pattern": _BASE64}},
    "required": ["b64"],
    "additionalProperties": False,
}
_SCHEMAS: dict[str, Schema] = {
    "Explanations": {
        "type": "object",
        "description": "One explanation for each instance; one object for KServe's LIME.",
        "properties": {"explanations": {"type": ["array", "object"]}},
        "required": ["explanations"],
    },
    "Predictions": {
        "type": "object",
        "properties": {"predictions": {"type": "array"}},
        "required": ["predictions"],
    },
    "Tensors": {
        "type": "object",
        "description": "Tensors of the Open Inference Protocol, one for each output.",
        "properties": {
            "model_name": {"type": "string"},
            "outputs": {
                "type": "array",
                "items": {"type": "object", "required": ["name", "shape", "datatype"]},
            },
        },
        "required": ["model_name", "outputs"],
    },
}
_V2 = "oip-v2"
# What a request can be told instead of an answer.
_HTTP_ERRORS = (400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 502, 503, 504)


def document(
    repository: ModelRepository,
    protocols: Sequence[Protocol],
    limits: Limits,
    container: tuple[str, str] | None = None,
) -> Schema:
    """Return the document, OpenAPI 3.1: a model that is not loaded yet takes anything.

    `container` are the paths of health and predictions in a container of Vertex AI.
    """
    paths: dict[str, Schema] = {
        "/healthz": {"get": _got("Whether the server is alive", {"type": "object"})},
        "/readyz": {"get": _got("Whether all models are ready", {"type": "object"})},
        "/v1/models": {"get": _got("The names of the models", {"type": "object"})},
        "/metrics": {"get": _metrics()},
    }
    for protocol in protocols:
        for template in protocol.paths:
            paths.update(_paths(repository, protocol, template, limits))
    paths.update(_open_inference(repository))
    if container is not None:
        paths.update(_container(*container, limits))
    errors = dict([PLAIN_ERROR, *(protocol.error_form for protocol in protocols)])
    titles = [protocol.title for protocol in protocols]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pellucid",
            "version": version("pellucid"),
            "description": "Explanations of the predictions of TensorFlow SavedModels, in the "
            f"protocols of {', '.join(titles[:-1])} and {titles[-1]}.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {**errors, **_SCHEMAS},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths(
    repository: ModelRepository, protocol: Protocol, template: str, limits: Limits
) -> Iterator[tuple[str, Schema]]:
    for model in repository.models.values():
        versions = list(model.versions) if "{model}" in template else [None]
        for name in versions:
            path = template.replace("{target}", name or model.name)
            path = path.replace("{model}", model.name)
            found = model.default if name is None else model.versions[name]
            loaded = found.loaded
            places = [p for p in ("project", "location") if f"{{{p}}}" in template]
            shared = {"parameters": [_parameter(place) for place in places]} if places else {}
            yield path, {**shared, "get": _got(f"{model.name}: its state", {"type": "object"})}
            for verb, said in (("explain", "Explanations"), ("predict", "Predictions")):
                # Where a wrong instance is an answer, status 200, its form is not the request's.
                strict = loaded is not None and not protocol.answers_wrong_instances
                inputs = loaded.model.inputs if loaded is not None and strict else None
                schema = request_schema(inputs, limits)
                yield (
                    f"{path}:{verb}",
                    {**shared, "post": _asked(protocol, model.name, said, schema)},
                )


def _open_inference(repository: ModelRepository) -> Iterator[tuple[str, Schema]]:
    """Yield the paths of the Open Inference Protocol, and TensorFlow Serving's of metadata."""
    yield "/v2", {"get": _got("The server, and the extensions it has", {"type": "object"})}
    yield "/v2/health/live", {"get": _got("Whether the server is alive", {"type": "object"})}
    yield "/v2/health/ready", {"get": _got("Whether all models are ready", {"type": "object"})}
    for model in repository.models.values():
        for name in (None, *model.versions):
            below = model.name if name is None else f"{model.name}/versions/{name}"
            found = model.default if name is None else model.versions[name]
            takes = _got(f"{model.name}: what it takes and gives", {"type": "object"})
            yield f"/v1/models/{below}/metadata", {"get": takes}
            yield f"/v2/models/{below}", {"get": takes}
            ready = _got(f"{model.name}: whether it is ready", {"type": "object"})
            yield f"/v2/models/{below}/ready", {"get": ready}
            schema = tensors_schema(None if found.loaded is None else found.loaded.model.inputs)
            for verb, said in (("infer", "Tensors"), ("explain", "Explanations")):
                post = _posted(_V2, f"{verb} by {model.name}", said, schema, PLAIN_ERROR.name)
                yield f"/v2/models/{below}/{verb}", {"post": post}


def tensors_schema(inputs: Sequence[InputInfo] | None) -> Schema:
    """Return the schema of a request of the Open Inference Protocol, as JSON.

    That `data` have as many elements as `shape` says, no schema can say.
    """
    tensors: list[Schema] = [
        {
            "type": "object",
            "properties": {
                "name": {"const": info.name},
                "datatype": {"const": datatype_of(info.dtype)},
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "data": {"type": "array"},
            },
            "required": ["name", "datatype", "shape"],
        }
        for info in inputs or ()
    ]
    each: Schema = {"type": "array", "items": {"anyOf": tensors} if tensors else {"type": "object"}}
    if inputs is not None:
        each |= {"minItems": len(inputs), "maxItems": len(inputs)}
    return {
        "type": "object",
        "properties": {"inputs": each, "parameters": {"type": "object"}},
        "required": ["inputs"],
    }


def _container(health: str, predict: str, limits: Limits) -> Iterator[tuple[str, Schema]]:
    """Yield the paths of a container of Vertex AI, which may be one."""
    request = request_schema(None, limits)
    request["properties"]["parameters"] = {"type": "object"}
    ready = _got("Whether the model is ready", {"type": "object"})
    said = "predictions, and explanations where they are asked for"
    asked = _posted("vertex", said, "Predictions", request, GOOGLE_ERROR.name)
    found: dict[str, Schema] = {health: {"get": ready}}
    found[predict] = found.get(predict, {}) | {"post": asked}
    yield from found.items()


def request_schema(inputs: Sequence[InputInfo] | None, limits: Limits) -> Schema:
    """Return the schema of a request for a model with these inputs."""
    bounds = {"minItems": 1, "maxItems": limits.instances}
    if inputs is None:
        forms: list[Schema] = [{"type": "array", **bounds}, {"type": "object"}]
    else:
        named: Schema = {
            "type": "object",
            "properties": {info.name: _value(info) for info in inputs},
            "required": [info.name for info in inputs],
            "additionalProperties": False,
        }
        # "Instances can include named inputs (as objects) or can contain only unlabeled values."
        forms = [{"type": "array", "items": named, **bounds}, named]
        if len(inputs) == 1:
            forms.insert(0, {"type": "array", "items": _value(inputs[0]), **bounds})
    return {
        "type": "object",
        "properties": {"instances": {"anyOf": forms}},
        "required": ["instances"],
    }


def _value(info: InputInfo) -> Schema:
    shape = info.instance_shape
    leaf = _leaf(info)
    if shape is None:
        return {}
    schema = leaf
    for size in reversed(shape):
        schema = {"type": "array", "items": schema}
        if size is not None:
            schema |= {"minItems": size, "maxItems": size}
    if shape in ((), (1,)):
        # One value is one value, however many brackets it wears.
        one = {"type": "array", "items": leaf, "minItems": 1, "maxItems": 1}
        return {"anyOf": [leaf, one]}
    return schema


def _leaf(info: InputInfo) -> Schema:
    if info.is_string:
        return {"anyOf": [_TEXT, _BINARY]}
    if info.dtype == "bool":
        return {"type": "boolean"}
    if info.is_integer:
        limits = np.iinfo(info.dtype)
        return {"type": "integer", "minimum": int(limits.min), "maximum": int(limits.max)}
    if info.dtype == "bfloat16":
        beyond = BEYOND_BFLOAT16
        return {"type": "number", "exclusiveMinimum": -beyond, "exclusiveMaximum": beyond}
    most = float(np.finfo(info.dtype).max)
    if info.dtype == "float64":
        return {"type": "number", "minimum": -most, "maximum": most}
    # Up to half a step above the greatest, a number is rounded down to it.
    step = most - float(np.nextafter(np.dtype(info.dtype).type(most), 0))
    beyond = most + step / 2
    return {"type": "number", "exclusiveMinimum": -beyond, "exclusiveMaximum": beyond}


def _asked(protocol: Protocol, model: str, said: str, request: Schema) -> Schema:
    verb = said.lower().removesuffix("s")
    what = f"a {verb} for each instance, by {model}"
    found = _posted(protocol.name, what, said, request, protocol.error_form.name)
    if protocol.answers_wrong_instances:
        # "It contains a single error entry", and the call has succeeded all the same.
        forms = [{"$ref": f"#/components/schemas/{it}"} for it in (said, PLAIN_ERROR.name)]
        found["responses"]["200"] = _response("The answer", {"oneOf": forms})
    return found


def _posted(protocol: str, what: str, said: str, request: Schema, error: str) -> Schema:
    """Return what is asked by POST and answered as one schema says, or as another does."""
    answer: Schema = {"$ref": f"#/components/schemas/{said}"}
    return {
        "summary": f"{protocol}: {what}",
        "tags": [protocol],
        "security": [{}, {"token": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {"200": _response("The answer", answer), **_refused(error)},
    }


def _got(summary: str, schema: Schema) -> Schema:
    return {
        "summary": summary,
        "security": [{}, {"token": []}],
        "responses": {
            "200": _response("The answer", schema),
            "503": _response("Not ready", {"type": "object"}),
            "default": _response("An error", {"type": "object"}),
        },
    }


def _metrics() -> Schema:
    text = {"description": "Prometheus' text format", "content": {"text/plain": {}}}
    return {
        "summary": "Numbers for Prometheus",
        "security": [{}, {"token": []}],
        "responses": {"200": text, "default": _response("An error", {"type": "object"})},
    }


def _refused(error: str) -> dict[str, Schema]:
    schema = {"$ref": f"#/components/schemas/{error}"}
    made = {}
    for status in _HTTP_ERRORS:
        made[str(status)] = _response(HTTPStatus(status).phrase, schema)
        if status in (429, 503):
            header = {"description": "Seconds to wait", "schema": {"type": "integer"}}
            made[str(status)]["headers"] = {"Retry-After": header}
    return made


def _response(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _parameter(name: str) -> Mapping[str, Any]:
    schema = {"type": "string", "pattern": f"^{PLACE}$"}
    return {"name": name, "in": "path", "required": True, "schema": schema}
