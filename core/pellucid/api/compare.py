"""Methods by the short names that people use for them, to be compared on one loaded model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pellucid.api.explanations import Explanations
from pellucid.api.loaded_model import LoadedModel
from pellucid.errors import SpecError, meant
from pellucid.inputs import Instance
from pellucid.metadata import (
    METHODS,
    CallSettings,
    ExplainOptions,
    SmoothGrad,
    call_settings,
    given_settings,
    setting_names,
)

NOISE = frozenset(setting_names(SmoothGrad))
"""The settings that only SmoothGrad has."""


def _names() -> Iterator[tuple[str, CallSettings]]:
    for name, method in METHODS.items():
        if method.effort is None:
            continue
        # What is short for a method comes first, what is more than the method last.
        for preset, settings in sorted({name: {}, **method.presets}.items(), key=_by_length):
            yield preset, call_settings({"method": name, **settings})


def _by_length(item: tuple[str, Mapping[str, object]]) -> tuple[int, int]:
    name, settings = item
    return len(settings), len(name)


COMPARED: Mapping[str, CallSettings] = dict(_names())
"""The settings that each name stands for."""

OF_ONE_METHOD = NOISE.union(*((*it.for_images, *it.for_series) for it in METHODS.values()))
"""Settings that a method is given for itself, whatever the others are given."""


def settings_of(names: str, given: CallSettings) -> list[CallSettings]:
    """Return the settings of each method in ``ig,xrai,lime``. Raises SpecError.

    Each has those that are `given`, too, which are of one method or another; noise is that of
    SmoothGrad, where that is one of the methods.
    """
    found: list[CallSettings] = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name not in COMPARED:
            hints = (meant(name, list(COMPARED)), f"choose from {', '.join(COMPARED)}")
            raise SpecError(f"'{name}' is not a method", hint="; ".join(filter(None, hints)))
        found.append(COMPARED[name])
    if not found:
        hint = "write them with commas, as in ig,xrai,lime"
        raise SpecError("no method is named", hint=hint)
    smooth = any(settings.noisy_samples is not None for settings in found)
    changes = given_settings(replace(given, method=None))
    quiet = {name: value for name, value in changes.items() if name not in NOISE}
    return [
        replace(settings, **(quiet if smooth and settings.noisy_samples is None else changes))
        for settings in found
    ]


def of_all_methods(settings: CallSettings) -> CallSettings:
    """Return the settings without those that each method is given for itself."""
    return replace(settings, **dict.fromkeys(OF_ONE_METHOD))


def compared(
    model: LoadedModel, instances: Sequence[Instance], methods: Sequence[CallSettings]
) -> list[Explanations]:
    """Return the explanations of each method, in their order; the model is compiled once.

    Each has the settings that suit pictures or series, unless others were asked for: Shapley values
    are those of regions or windows. What has its own colours is drawn as is usual for it: the
    metadata's settings are those of one method.
    """
    kinds = {spec.modality for spec in model.metadata.inputs}
    found = []
    for settings in methods:
        usual = METHODS[str(settings.method)].suiting(kinds)
        chosen = call_settings({**usual, **given_settings(settings)})
        explanations = model.explain(list(instances), ExplainOptions(settings=chosen))
        if explanations.parameters.method.by_regions:
            plain = tuple(replace(i, visualization=None) for i in explanations.metadata.inputs)
            metadata = replace(explanations.metadata, inputs=plain)
            explanations = replace(explanations, metadata=metadata)
        found.append(explanations)
    return found
