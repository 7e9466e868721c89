"""The players of a series: its channels, or windows of time over all of them."""

from __future__ import annotations

import numpy as np

from pellucid.metadata import WINDOWS
from pellucid.model import Array


def channel_players(shape: tuple[int, ...]) -> Array:
    """Return which player each element of a series [t] or [t, c] is: its channel, int64 [t(, c)].

    >>> channel_players((2, 3)).tolist()
    [[0, 1, 2], [0, 1, 2]]
    """
    channels = np.arange(shape[1]) if len(shape) == 2 else np.int64(0)
    return np.broadcast_to(channels, shape)


def window_players(shape: tuple[int, ...], window: int | None = None) -> Array:
    """Return which player each element of a series is: its window of so many steps.

    The last window may be shorter; see `window_length` for the default.

    >>> window_players((5,), 2).tolist()
    [0, 0, 1, 1, 2]
    """
    steps = np.arange(shape[0]) // (window or window_length(shape[0]))
    return np.broadcast_to(steps.reshape(-1, *(1,) * (len(shape) - 1)), shape)


def window_length(steps: int) -> int:
    """Return how long windows are by default: as short as leaves no more than 20 of them."""
    return max(1, -(-steps // WINDOWS))
