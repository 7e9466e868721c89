"""The OpenAPI document of a server: its paths, and what each of its models takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import numpy as np

from pellucid.inputs import BEYOND_BFLOAT16, InputInfo
from pellucid.serve.limits import Limits
from pellucid.serve.model_repository import ModelRepository
from pellucid.serve.protocols.protocol import PLAIN_ERROR, Protocol

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
}
# What a request can be told instead of an answer.
_HTTP_ERRORS = (400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 502, 503, 504)


def document(repository: ModelRepository, protocols: Sequence[Protocol], limits: Limits) -> Schema:
    """Return the document, OpenAPI 3.1: a model that is not loaded yet takes anything."""
    paths: dict[str, Schema] = {
        "/healthz": {"get": _got("Whether the server is alive", {"type": "object"})},
        "/readyz": {"get": _got("Whether all models are ready", {"type": "object"})},
        "/v1/models": {"get": _got("The names of the models", {"type": "object"})},
        "/metrics": {"get": _metrics()},
    }
    for protocol in protocols:
        for template in protocol.paths:
            paths.update(_paths(repository, protocol, template, limits))
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
    answer: Schema = {"$ref": f"#/components/schemas/{said}"}
    if protocol.answers_wrong_instances:
        # "It contains a single error entry", and the call has succeeded all the same.
        answer = {"oneOf": [answer, {"$ref": f"#/components/schemas/{PLAIN_ERROR.name}"}]}
    verb = said.lower().removesuffix("s")
    return {
        "summary": f"{protocol.name}: a {verb} for each instance, by {model}",
        "tags": [protocol.name],
        "security": [{}, {"token": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {
            "200": _response("The answer", answer),
            **_refused(protocol.error_form.name),
        },
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
