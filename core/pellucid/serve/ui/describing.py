"""What the page has to know of a model and of a method to ask for an explanation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.api import LoadedModel
from pellucid.errors import InstanceError
from pellucid.explain import element_name
from pellucid.inputs import InputInfo, Missing, image_input_of
from pellucid.metadata import METHODS, Modality
from pellucid.serve.model_repository import Loaded

EFFORTS = {name: it.effort for name, it in METHODS.items() if it.effort is not None}
"""The methods that can be drawn, with what a person turns first."""
ROWS = 64
"""The rows of a table that a person fills in; an instance with more is written as JSON."""
UNNAMED = 16
"""The rows for a vector whose elements have no names."""


def described(name: str, loaded: Loaded) -> dict[str, Any]:
    """Return what the page has to know of a model to ask for an explanation.

    ``instance`` is what the page starts at: the baseline, where the inputs have one that is a
    value, else zeros and empty texts, and ``start`` says which. ``fields`` has a row for each value
    of it, or is null where that would be no table.
    """
    model = loaded.model
    drawn = any(spec.modality is Modality.IMAGE for spec in model.metadata.inputs)
    picture = drawn and _takes_picture(model.inputs)
    method = model.parameters.method.name
    offered = list(_offered(model, picture))
    known = _with_baselines(model)
    return {
        "name": name,
        "picture": picture,
        "methods": offered,
        "method": method if method in offered else offered[0],
        "outputs": loaded.outputs,
        "instance": None if picture else {it.name: _start(it) for it in known},
        "fields": None if picture else _fields(known),
        "start": "baseline" if all(_has_baseline(it) for it in known) else "zeros",
    }


def method_described(name: str) -> dict[str, Any]:
    """Return what the page has to know of a method to offer it."""
    method, effort = METHODS[name], EFFORTS[name]
    return {
        "name": name,
        "label": method.label,
        "effort": {
            "label": effort.setting.capitalize(),
            "setting": effort.setting,
            "start": effort.start,
        },
    }


def _offered(model: LoadedModel, picture: bool) -> Iterator[str]:
    """Yield the methods that can explain a model."""
    text = any(info.is_string for info in model.inputs)
    kind = "image" if picture else "text" if text else "table"
    blind = model.compiler.predictor is not None  # it has no gradients
    for name in EFFORTS:
        only = {it.value for it in METHODS[name].explains_only}
        if (not only or kind in only) and not (blind and METHODS[name].uses_gradients):
            yield name


def _takes_picture(inputs: Sequence[InputInfo]) -> bool:
    if len(inputs) != 1:
        return False
    try:
        image_input_of(inputs, None)
    except InstanceError:
        return False
    return True


def _with_baselines(model: LoadedModel) -> Sequence[InputInfo]:
    """Return the inputs with their baselines, which stand for what is missing, as `fill`."""
    filled = replace(model, tables=replace(model.tables, missing=Missing.BASELINE))
    return filled.with_inputs().inputs


def _has_baseline(info: InputInfo) -> bool:
    return info.is_string or (info.fill is not None and info.record is None)


def _start(info: InputInfo) -> Any:
    """Return the value of an input that the page starts at, as JSON."""
    shape = tuple(size or 1 for size in info.instance_shape or ())
    if info.is_string:
        made = np.full(shape, "", object)
    elif _has_baseline(info):
        made = np.broadcast_to(np.asarray(info.fill, info.array_dtype), shape)
    else:
        made = np.zeros(shape, info.array_dtype)
    # One value is one value, however many brackets it wears.
    return _json(made[0] if info.instance_shape == (1,) else made)


def _json(values: Any) -> Any:
    """Return values as JSON, and 32 bits with as few digits as tell them apart."""
    if np.ndim(values):
        return [_json(each) for each in values]
    if isinstance(values, np.floating):
        return float(str(values)) if np.isfinite(values) else None
    return values.item() if isinstance(values, np.generic | np.ndarray) else values


def _fields(inputs: Sequence[InputInfo]) -> list[dict[str, Any]] | None:
    """Return a row for each value of an instance, or None where that would be no table."""
    found: list[dict[str, Any]] = []
    for info in inputs:
        shape = info.instance_shape
        sizes = tuple(size or 0 for size in shape or ())
        size = math.prod(sizes)
        if shape is None or info.record is not None or not size:
            return None
        names = info.feature_names if info.feature_names and len(sizes) == 1 else None
        if names is None and size > UNNAMED:
            return None
        kind = "text" if info.is_string else "boolean" if info.dtype == "bool" else "number"
        for place in np.ndindex(sizes):
            name = names[place[0]] if names else element_name(info.name, place, size)
            found.append(
                {
                    "input": info.name,
                    "place": [] if sizes == (1,) else list(place),
                    "name": name,
                    "kind": kind,
                    "whole": kind == "number" and not info.is_float,
                    "required": kind == "number" and not info.takes_nan,
                }
            )
    return found if len(found) <= ROWS else None
