"""Colour maps: the colour of a signed strength from −1 (strongest against) to 1 (strongest for).

The hue maps are ramps of intensity from black to one pure colour for each sign. The colours of
viridis, and the eleven that PiYG is interpolated from, are those of the `cmap` package.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from pellucid.metadata import ColorMap, Polarity
from pellucid.model import Array

LEVELS = 255
"""Steps of strength on either side of zero."""

# Ends of PiYG, which people see apart who do not tell red from green; both dark enough on white.
FOR, AGAINST = (62, 137, 28), (197, 27, 125)

_GREEN = (0, 255, 0)
_RED = (255, 0, 0)
_PINK = (255, 20, 147)  # CSS deeppink: the lighter pinks are lost on a photo

_HUES = {  # (negative, positive)
    ColorMap.PINK_GREEN: (_PINK, _GREEN),
    ColorMap.RED_GREEN: (_RED, _GREEN),
    ColorMap.RED: (_RED, _RED),
    ColorMap.GREEN: (_GREEN, _GREEN),
}

_GRADIENTS = {ColorMap.VIRIDIS: ("bids:viridis", 256), ColorMap.PINK_WHITE_GREEN: ("piyg", 11)}


def is_gradient(color_map: ColorMap) -> bool:
    """Return whether zero has a colour of its own; in a hue map it is black."""
    return color_map not in _HUES


@cache
def color_table(color_map: ColorMap, polarity: Polarity) -> Array:
    """Return float32 [2 · LEVELS + 1, 3] in 0..255, read-only: row LEVELS + i is i / LEVELS.

    "PINK_GREEN Positive: green. Negative: pink." "VIRIDIS … Positive: yellow. Negative: blue."
    Where only positive attributions are shown viridis runs its whole length, "the most influential
    regions in yellow and the least influential in blue"; otherwise zero is its middle.
    """
    strength = np.linspace(-1, 1, 2 * LEVELS + 1)
    if color_map in _HUES:
        negative, positive = (np.array(hue, float) for hue in _HUES[color_map])
        ends = np.where(strength[:, np.newaxis] < 0, negative, positive)
        table = np.abs(strength)[:, np.newaxis] * ends
    elif color_map is ColorMap.VIRIDIS and polarity is Polarity.POSITIVE:
        table = _interpolated(color_map, np.clip(strength, 0, 1))
    else:
        table = _interpolated(color_map, (1 + strength) / 2)
    table = table.astype(np.float32)
    table.flags.writeable = False
    return table


def _interpolated(color_map: ColorMap, position: Array) -> Array:
    """Return the colours [n, 3] of a gradient at positions in [0, 1]."""
    from cmap import Colormap

    name, count = _GRADIENTS[color_map]
    colors = 255 * Colormap(name).lut(count)[:, :3]
    at = np.linspace(0, 1, count)
    return np.stack([np.interp(position, at, channel) for channel in colors.T], axis=-1)
