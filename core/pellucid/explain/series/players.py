"""Shapley values of series: each channel is a player, or each window of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pellucid.errors import SpecError
from pellucid.metadata import BaseMethod, InputSpec, Modality, SeriesParts
from pellucid.methods import series_players
from pellucid.model import Array, Tensors
from pellucid.notices import Hint, Notice, Where


def is_series(spec: InputSpec, value: Array) -> bool:
    """Whether what a feature has for one instance is a series, [t] or [t, c].

    A vector whose elements all have names is one of columns.
    """
    if spec.modality is not Modality.SERIES or spec.group_name is not None or not value.size:
        return False
    names = spec.index_feature_mapping
    named = value.ndim == 1 and value.size > 1 and names is not None and len(names) == value.size
    return value.ndim in (1, 2) and not named


def series_labels(
    specs: Sequence[InputSpec], x: Tensors, parts: SeriesParts | None
) -> dict[str, Array]:
    """Return the player of each element of the series among inputs [n, …], by feature.

    There are none without `parts`. Raises SpecError where no input is a series.
    """
    if parts is None:
        return {}
    explained = [spec for spec in specs if spec.name in x]
    shapes = {it.name: x[it.name].shape[1:] for it in explained if is_series(it, x[it.name][0])}
    if not shapes:
        raise SpecError(
            "channels and windows are of series, and no explained input is one",
            where=Where(path="players"),
            hint='set "modality": "series" in the metadata of an input [time, channels] or [time]',
        )
    if parts.channels:
        return {name: series_players.channel_players(shape) for name, shape in shapes.items()}
    return {
        name: series_players.window_players(shape, parts.window) for name, shape in shapes.items()
    }


def windows_said(specs: Sequence[InputSpec], x: Tensors, method: BaseMethod) -> Iterator[Notice]:
    """Yield how long windows are where nobody said it, and what that costs."""
    parts = method.series_parts
    if parts is None or parts.channels or parts.window is not None:
        return
    for name, labels in series_labels(specs, x, parts).items():
        length, count = series_players.window_length(len(labels)), int(labels.max()) + 1
        yield Notice(
            f"'{name}' is explained in {count} windows of {length} steps, which asks the model "
            f"{method.cost(count, 1):,} times at most for an instance",
            hint=Hint("set their length with {window}"),
        )
