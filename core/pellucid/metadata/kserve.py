"""KServe's explainer, which was LIME: the keys of its requests, as numbers or as strings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from enum import Enum
from typing import Any

from pellucid.errors import SpecError, meant
from pellucid.metadata.call_settings import SETTINGS
from pellucid.metadata.documents.document import describe
from pellucid.metadata.method import spelling_of
from pellucid.metadata.parameters import ExplanationParameters, Lime
from pellucid.notices import Notice, Warn, Where

_FIELDS = {key: it for it in fields(Lime) for key in spelling_of(it).kserve}
KSERVE_KEYS = tuple(_FIELDS)
_YES = ("y", "yes", "t", "true", "on", "1")
_NO = ("n", "no", "f", "false", "off", "0")


def as_kserve(parameters: ExplanationParameters) -> ExplanationParameters:
    """Return parameters as KServe's explainer had them: LIME of the ``top_labels`` best.

    Another method gives way to it; LIME's own settings, and outputs that were chosen, stay.
    """
    method = parameters.method if isinstance(parameters.method, Lime) else Lime()
    if parameters.top_k is None and parameters.output_indices is None:
        return ExplanationParameters(method=method, top_k=method.top_labels)
    return replace(parameters, method=method)


def with_kserve_keys(
    request: Mapping[str, object],
    parameters: ExplanationParameters,
    warn: Warn,
) -> ExplanationParameters:
    """Return parameters with the keys of KServe's explainer that a request has.

    `warn` is told of them where the method is another. Raises SpecError for a value out of range.
    """
    given = {key: request[key] for key in KSERVE_KEYS if key in request}
    if given and not isinstance(parameters.method, Lime):
        what = (
            f"the request sets {', '.join(given)}, which only {Lime.title} has; the method is "
            f"{parameters.method.name}"
        )
        warn(Notice(what))
        return parameters
    for key, value in given.items():
        field = _FIELDS[key]
        made = _read(key, value)
        parameters = replace(parameters, method=replace(parameters.method, **{field.name: made}))
        if spelling_of(field).counts_outputs:
            parameters = replace(parameters, top_k=made, output_indices=None)
    return parameters


def _read(key: str, value: object) -> Any:
    """Return a value as the field of the key has it."""
    usual = _FIELDS[key].default
    if isinstance(usual, bool):
        return _truth(key, value)
    if isinstance(usual, Enum):
        return _one_of(type(usual), key, value)
    if isinstance(usual, float):
        return _number(key, value)
    setting = spelling_of(_FIELDS[key]).setting
    return _whole(key, value, least=(SETTINGS[setting].least if setting else None) or 1)


def _number(key: str, value: object) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        raise _unfit(key, value, "a number") from None
    if not math.isfinite(number):
        raise _unfit(key, value, "a finite number")
    return number


def _whole(key: str, value: object, *, least: int) -> int:
    number = _number(key, value)
    if number != int(number):
        raise _unfit(key, value, "a whole number")
    if not least <= number < 2**31:
        what = f"{int(number)} is out of range, must be {least} or more"
        raise SpecError(what, where=Where(path=key))
    return int(number)


def _truth(key: str, value: object) -> bool:
    """Read a boolean as KServe's explainer did, and as JSON has it, at which that one failed."""
    word = str(value).lower() if isinstance(value, str | bool | int) else ""
    if word not in (*_YES, *_NO):
        raise _unfit(key, value, "true or false")
    return word in _YES


def _one_of(kind: type[Enum], key: str, value: object) -> Enum:
    names = [it.value for it in kind]
    if value not in names:
        near = meant(value, names) if isinstance(value, str) else ""
        raise _unfit(key, value, f"{', '.join(names[:-1])} or {names[-1]}", near)
    return kind(value)


def _unfit(key: str, value: object, wanted: str, hint: str = "") -> SpecError:
    what = f"must be {wanted}, not {describe(value)}"
    return SpecError(what, where=Where(path=key), hint=hint)
