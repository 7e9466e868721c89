"""Methods by the short names that people use for them, to be compared on one loaded model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from pellucid.api.explanations import Explanations
from pellucid.api.loaded_model import LoadedModel
from pellucid.errors import SpecError, did_you_mean
from pellucid.inputs import Instance
from pellucid.metadata import CallSettings, Modality, Xrai

METHODS: Mapping[str, Mapping[str, Any]] = {
    "ig": {"method": "integrated-gradients"},
    "integrated-gradients": {"method": "integrated-gradients"},
    "smoothgrad": {"method": "integrated-gradients", "noisy_samples": 3},
    "xrai": {"method": "xrai"},
    "shapley": {"method": "sampled-shapley"},
    "sampled-shapley": {"method": "sampled-shapley"},
    "lime": {"method": "lime"},
}


NOISE = ("noisy_samples", "noise_sigma")


def options_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a command's options that are settings of a method, and were given."""
    known = {field.name for field in fields(CallSettings)}
    return {k: v for k, v in options.items() if k in known and v is not None and v != ()}


def settings_of(names: str, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the settings of each method in ``ig,xrai,lime``. Raises SpecError.

    Each has those of `options`, too, which are of one method or another; noise is that of
    SmoothGrad, where that is one of the methods.
    """
    given = {name: v for name, v in options_of(options).items() if name != "method"}
    found: list[dict[str, Any]] = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name not in METHODS:
            raise SpecError(
                f"--compare: '{name}' is no method{did_you_mean(name, list(METHODS))}; choose from "
                + ", ".join(METHODS)
            )
        found.append(dict(METHODS[name]))
    smooth = any("noisy_samples" in settings for settings in found)
    found = [
        settings
        | {
            name: value
            for name, value in given.items()
            if not (smooth and name in NOISE and "noisy_samples" not in settings)
        }
        for settings in found
    ]
    if not found:
        raise SpecError("--compare: no method is named; write them with commas, as in ig,xrai,lime")
    return found


def compared(
    model: LoadedModel, instances: Sequence[Instance], methods: Sequence[Mapping[str, Any]]
) -> list[Explanations]:
    """Return the explanations of each method, in their order; the model is compiled once.

    Shapley values of a picture are those of its regions, unless its elements were asked for. XRAI
    is drawn as is usual for it: the metadata's settings are those of one method.
    """
    image = any(spec.modality is Modality.IMAGE for spec in model.metadata.inputs)
    found = []
    for method in methods:
        chosen = dict(method)
        if image and method["method"] == "sampled-shapley":
            chosen.setdefault("players", "regions")
        explanations = model.explain(list(instances), **chosen)
        if isinstance(explanations.parameters.method, Xrai):
            plain = tuple(replace(i, visualization=None) for i in explanations.metadata.inputs)
            metadata = replace(explanations.metadata, inputs=plain)
            explanations = replace(explanations, metadata=metadata)
        found.append(explanations)
    return found
