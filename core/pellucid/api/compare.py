"""Methods by the short names that people use for them, to be compared on one loaded model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pellucid.api.explanations import Explanations
from pellucid.api.loaded_model import LoadedModel
from pellucid.errors import SpecError, meant
from pellucid.inputs import Instance
from pellucid.metadata import METHODS, SETTINGS, Modality, SmoothGrad, setting_names

NOISE = frozenset(setting_names(SmoothGrad))
"""The settings that only SmoothGrad has."""


def _names() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, method in METHODS.items():
        if method.effort is None:
            continue
        # What is short for a method comes first, what is more than the method last.
        for preset, settings in sorted({name: {}, **method.presets}.items(), key=_by_length):
            yield preset, {"method": name, **settings}


def _by_length(item: tuple[str, Mapping[str, Any]]) -> tuple[int, int]:
    name, settings = item
    return len(settings), len(name)


COMPARED: Mapping[str, Mapping[str, Any]] = dict(_names())
"""The settings that each name stands for."""

OF_ONE_METHOD = NOISE.union(*(method.for_images for method in METHODS.values()))
"""Settings that a method is given for itself, whatever the others are given."""


def settings_of(names: str, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the settings of each method in ``ig,xrai,lime``. Raises SpecError.

    Each has those of `options`, too, which are of one method or another; noise is that of
    SmoothGrad, where that is one of the methods.
    """
    known = {*SETTINGS, "top_k", "output_indices"}
    given = {k: v for k, v in options.items() if k in known and v is not None and v != ()}
    found: list[dict[str, Any]] = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name not in COMPARED:
            hints = (meant(name, list(COMPARED)), f"choose from {', '.join(COMPARED)}")
            raise SpecError(f"'{name}' is no method", hint="; ".join(filter(None, hints)))
        found.append(dict(COMPARED[name]))
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
        hint = "write them with commas, as in ig,xrai,lime"
        raise SpecError("no method is named", hint=hint)
    return found


def compared(
    model: LoadedModel, instances: Sequence[Instance], methods: Sequence[Mapping[str, Any]]
) -> list[Explanations]:
    """Return the explanations of each method, in their order; the model is compiled once.

    Each has the settings that suit pictures, unless others were asked for: Shapley values are those
    of regions. What has its own colours is drawn as is usual for it: the metadata's settings are
    those of one method.
    """
    image = any(spec.modality is Modality.IMAGE for spec in model.metadata.inputs)
    found = []
    for settings in methods:
        usual = METHODS[settings["method"]].for_images if image else {}
        explanations = model.explain(list(instances), **{**usual, **settings})
        if explanations.parameters.method.by_regions:
            plain = tuple(replace(i, visualization=None) for i in explanations.metadata.inputs)
            metadata = replace(explanations.metadata, inputs=plain)
            explanations = replace(explanations, metadata=metadata)
        found.append(explanations)
    return found
