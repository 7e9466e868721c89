"""Shapley values of series: each channel is a player, or each window of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pellucid.errors import SpecError
from pellucid.metadata import BaseMethod, InputSpec, Modality, Players, SampledShapley
from pellucid.methods.series_players import channel_players, window_length, window_players
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
    specs: Sequence[InputSpec], x: Tensors, method: SampledShapley
) -> dict[str, Array]:
    """Return the player of each element of the series among inputs [n, …], by feature.

    There are none where the method's players are others. Raises SpecError where no input is a
    series, and its players were to be.
    """
    if method.players not in (Players.CHANNELS, Players.WINDOWS):
        return {}
    explained = [spec for spec in specs if spec.name in x]
    shapes = {it.name: x[it.name].shape[1:] for it in explained if is_series(it, x[it.name][0])}
    if not shapes:
        raise SpecError(
            f"{method.players.value} are of series, and no explained input is one",
            where=Where(path="players"),
            hint='set "modality": "series" in the metadata of an input [time, channels] or [time]',
        )
    if method.players is Players.CHANNELS:
        return {name: channel_players(shape) for name, shape in shapes.items()}
    return {name: window_players(shape, method.window) for name, shape in shapes.items()}


def windows_said(specs: Sequence[InputSpec], x: Tensors, method: BaseMethod) -> Iterator[Notice]:
    """Yield how long windows are where nobody said it, and what that costs."""
    if not isinstance(method, SampledShapley) or method.players is not Players.WINDOWS:
        return
    for name, labels in series_labels(specs, x, method).items() if method.window is None else ():
        length, count = window_length(len(labels)), int(labels.max()) + 1
        paths = method.path_count if method.tolerance is None else method.max_paths
        most = min(paths * max(0, count - 1), 2**count)
        yield Notice(
            f"'{name}' is explained in {count} windows of {length} steps, which asks the model "
            f"{most:,} times at most for an instance and a baseline",
            hint=Hint("set their length with {window}"),
        )
