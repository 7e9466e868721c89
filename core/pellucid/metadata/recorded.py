"""Parameters as it is recorded which they were: in a document's own words, all of them, and back.

Keys are Vertex's where it has them (``stepCount``), settings of ours are spelled alike
(``quadrature``); values of enums are written as there (``"GAUSS_LEGENDRE"``). What is not set is
left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import Field, fields
from enum import Enum
from typing import Any

from pellucid.errors import SpecError, meant
from pellucid.metadata.method import spelling_of
from pellucid.metadata.parameters import METHODS, ExplanationParameters
from pellucid.metadata.spellings import camel
from pellucid.notices import Where

_SIGMAS = "feature_noise_sigma"


def recorded(parameters: ExplanationParameters) -> dict[str, Any]:
    """Return parameters as JSON: the method under its key, and which outputs."""
    method = parameters.method.saved()
    made: dict[str, Any] = {camel(str(method.key)): _settings(method)}
    if parameters.top_k is not None:
        made["topK"] = parameters.top_k
    if parameters.output_indices is not None:
        made["outputIndices"] = [list(index) for index in parameters.output_indices]
    if parameters.why_not is not None:
        label = parameters.why_not
        made["whyNot"] = label if isinstance(label, str) else list(label)
    return made


def read_recorded(document: Mapping[str, Any], where: Where = Where()) -> ExplanationParameters:
    """Return the parameters that `recorded` wrote. Raises SpecError for anything else."""
    methods = {camel(str(kind.key)): kind for kind in METHODS.values()}
    check_keys(document, (*methods, "topK", "outputIndices", "whyNot"), where)
    chosen = [key for key in methods if key in document]
    if len(chosen) != 1:
        raise SpecError("does not say which method it was", where=where)
    method = _read(methods[chosen[0]], document[chosen[0]], where.below(chosen[0]))
    indices, label = document.get("outputIndices"), document.get("whyNot")
    try:
        return ExplanationParameters(
            method=method,
            top_k=document.get("topK"),
            output_indices=None if indices is None else tuple(map(tuple, indices)),
            why_not=label if label is None or isinstance(label, str) else tuple(label),
        )
    except TypeError as error:
        raise SpecError("is damaged", where=where) from error


def check_keys(document: Any, known: Collection[str], where: Where) -> None:
    """Raise SpecError for what is no object, and for a key that is not one of those `known`."""
    if not isinstance(document, Mapping):
        raise SpecError("has to be an object", where=where)
    for key in document:
        if key not in known:
            hint = meant(str(key), list(known))
            raise SpecError(f"'{key}' is unknown here", where=where, hint=hint)


def _key(it: Field[Any]) -> str:
    spelling = spelling_of(it)
    return camel(spelling.keys[0] if spelling.keys else spelling.setting or it.name)


def _settings(record: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for it in fields(record):
        value, inside = getattr(record, it.name), spelling_of(it).inside
        if value is None:
            continue
        place = made if inside is None else made.setdefault(camel(inside), {})
        if spelling_of(it).record is not None:
            value = _settings(value)
        elif it.name == _SIGMAS:
            value = {"noiseSigma": [{"name": name, "sigma": sigma} for name, sigma in value]}
        elif isinstance(value, Enum):
            value = value.name
        place[_key(it)] = value
    return made


def _read(kind: Any, document: Any, where: Where) -> Any:
    """Return a record from its settings. Raises SpecError."""
    known = {_key(it) if (inside := spelling_of(it).inside) is None else camel(inside): it
             for it in fields(kind)}  # fmt: skip
    check_keys(document, known, where)
    made: dict[str, Any] = {}
    for key, it in known.items():
        if key not in document:
            continue
        value, place = document[key], where.below(key)
        if spelling_of(it).inside is not None:
            check_keys(value, [_key(it)], place)
            value = value.get(_key(it))
        try:
            made[it.name] = _value(kind, it, value, place)
        except (KeyError, TypeError, ValueError) as error:
            raise SpecError("is damaged", where=place) from error
    return kind(**made)


def _value(kind: Any, it: Field[Any], value: Any, where: Where) -> Any:
    record = spelling_of(it).record
    if record is not None:
        return _read(record, value, where)
    if it.name == _SIGMAS:
        return tuple((str(one["name"]), float(one["sigma"])) for one in value["noiseSigma"])
    if isinstance(it.default, Enum):
        return type(it.default)[value]
    if isinstance(it.default, tuple):
        return tuple(value)
    wanted = type(it.default) if it.default is not None else (int, float, str)
    if not isinstance(value, wanted) and not (wanted is float and isinstance(value, int)):
        raise TypeError(value)
    return value
