"""The series of an explanation: values over time, and what each of them contributed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.explain import Explanation, LabelAttribution, is_series
from pellucid.inputs import TIME, Instance
from pellucid.metadata import ExplanationMetadata, InputSpec, Modality
from pellucid.model import Array
from pellucid.visualize.series.time_axis import time_axis

# Seconds or years, whatever their unit: other times are too close or too far for arithmetic.
_LEAST, _MOST = 1e-200, 1e200


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values [t, c], float64 with NaN for what is missing, and their attributions [t, c].

    `times` [t] increase; where none are known, they are the numbers of the steps. `axis` is what
    they are called, and `dates` tells that they are seconds since 1970.
    """

    feature: str
    names: tuple[str, ...]
    values: Array
    attributions: Array
    times: Array
    axis: str = "step"
    dates: bool = False

    @property
    def channel_totals(self) -> Array:
        """What each channel contributed, [c]."""
        return np.asarray(self.attributions.sum(axis=0))

    @property
    def time_totals(self) -> Array:
        """What each step contributed, all channels together, [t]."""
        return np.asarray(self.attributions.sum(axis=1))

    @property
    def shared_by_channels(self) -> bool:
        """Whether all channels have the same, as where windows of time were the players."""
        each = self.attributions
        return each.shape[1] > 1 and bool((each == each[:, :1]).all() and each.any())

    @property
    def shared_by_steps(self) -> bool:
        """Whether all steps have the same, as where channels were the players."""
        each = self.attributions
        return len(each) > 1 and bool((each == each[:1]).all() and each.any())

    def over_time(self, columns: int) -> Array:
        """Return the totals over time in so many columns, [columns]: the strongest step of each."""
        totals = self.time_totals
        return np.asarray(totals[time_axis(self.times, columns).shown(totals)])


def series_of(
    explanation: Explanation,
    label: LabelAttribution,
    metadata: ExplanationMetadata,
    instance: Instance | None = None,
) -> list[Series]:
    """Return the features that are series; their times are those of the instance, if it has any."""
    given = None if instance is None else instance.extras.get(TIME)
    if explanation.tabular:
        return []
    found = []
    for spec in metadata.inputs:
        if spec.modality is not Modality.SERIES:
            continue
        weights = label.features.get(spec.name)
        value = explanation.given.get(spec.name, explanation.inputs.get(spec.name))
        if weights is None or value is None or value.shape != weights.shape:
            continue
        if is_series(spec, weights) and value.dtype.kind in "fiub":
            found.append(_series(spec, value, weights, given))
    return found


def _series(spec: InputSpec, value: Array, weights: Array, given: Any) -> Series:
    value, weights = (np.asarray(it, np.float64).reshape(len(it), -1) for it in (value, weights))
    count = value.shape[1]
    names = spec.index_feature_mapping
    if names is None or len(names) != count:
        names = (spec.name,) if count == 1 else tuple(f"channel {i}" for i in range(count))
    times, axis, dates = np.arange(len(value), dtype=np.float64), "step", False
    if isinstance(given, Mapping) and len(given["at"]) == len(value):
        at = np.asarray(given["at"], np.float64)
        with np.errstate(over="ignore"):
            span, steps = at[-1] - at[0], np.diff(at)
        if np.isfinite(at).all() and (steps > 0).all() and (len(at) == 1 or _LEAST < span < _MOST):
            times, axis, dates = at, str(given["column"]), bool(given["dates"])
    return Series(
        feature=spec.name, names=tuple(names), values=value, attributions=weights,
        times=times, axis=axis, dates=dates,
    )  # fmt: skip
