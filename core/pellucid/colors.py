"""Colour maps: the colour of a signed strength from −1 (strongest against) to 1 (strongest for).

The hue maps are ramps of intensity from black to one pure colour for each sign. PiYG is
interpolated from the eleven colours that define it. The 256 colours of viridis have no closed form;
they are data, written here by a script from matplotlib and compared with it by a test.

Viridis is by Nathaniel J. Smith, Stefan van der Walt and Eric Firing, released under CC0. PiYG is
from ColorBrewer (colorbrewer2.org), © 2002 Cynthia Brewer, Mark Harrower and The Pennsylvania State
University, Apache License 2.0.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from pellucid.model import Array
from pellucid.spec import ColorMap, Polarity

LEVELS = 255
"""Steps of strength on either side of zero."""

_GREEN = (0, 255, 0)
_RED = (255, 0, 0)
_PINK = (255, 20, 147)  # CSS deeppink: the lighter pinks are lost on a photo

_HUES = {  # (negative, positive)
    ColorMap.PINK_GREEN: (_PINK, _GREEN),
    ColorMap.RED_GREEN: (_RED, _GREEN),
    ColorMap.RED: (_RED, _RED),
    ColorMap.GREEN: (_GREEN, _GREEN),
}

_PIYG = (
    "8e0152" "c51b7d" "de77ae" "f1b6da" "fde0ef" "f7f7f7"
    "e6f5d0" "b8e186" "7fbc41" "4d9221" "276419"
)  # fmt: skip

_VIRIDIS = (
    "44015444025645045745055946075a46085c460a5d460b5e470d60470e61471063471164471365481467"
    "48166848176948186a481a6c481b6d481c6e481d6f481f70482071482173482374482475482576482677"
    "482878482979472a7a472c7a472d7b472e7c472f7d46307e46327e46337f463480453581453781453882"
    "443983443a83443b84433d84433e85423f854240864241864142874144874045884046883f47883f4889"
    "3e49893e4a893e4c8a3d4d8a3d4e8a3c4f8a3c508b3b518b3b528b3a538b3a548c39558c39568c38588c"
    "38598c375a8c375b8d365c8d365d8d355e8d355f8d34608d34618d33628d33638d32648e32658e31668e"
    "31678e31688e30698e306a8e2f6b8e2f6c8e2e6d8e2e6e8e2e6f8e2d708e2d718e2c718e2c728e2c738e"
    "2b748e2b758e2a768e2a778e2a788e29798e297a8e297b8e287c8e287d8e277e8e277f8e27808e26818e"
    "26828e26828e25838e25848e25858e24868e24878e23888e23898e238a8d228b8d228c8d228d8d218e8d"
    "218f8d21908d21918c20928c20928c20938c1f948c1f958b1f968b1f978b1f988b1f998a1f9a8a1e9b8a"
    "1e9c891e9d891f9e891f9f881fa0881fa1881fa1871fa28720a38620a48621a58521a68522a78522a884"
    "23a98324aa8325ab8225ac8226ad8127ad8128ae8029af7f2ab07f2cb17e2db27d2eb37c2fb47c31b57b"
    "32b67a34b67935b77937b87838b9773aba763bbb753dbc743fbc7340bd7242be7144bf7046c06f48c16e"
    "4ac16d4cc26c4ec36b50c46a52c56954c56856c66758c7655ac8645cc8635ec96260ca6063cb5f65cb5e"
    "67cc5c69cd5b6ccd5a6ece5870cf5773d05675d05477d1537ad1517cd2507fd34e81d34d84d44b86d549"
    "89d5488bd6468ed64590d74393d74195d84098d83e9bd93c9dd93ba0da39a2da37a5db36a8db34aadc32"
    "addc30b0dd2fb2dd2db5de2bb8de29bade28bddf26c0df25c2df23c5e021c8e020cae11fcde11dd0e11c"
    "d2e21bd5e21ad8e219dae319dde318dfe318e2e418e5e419e7e419eae51aece51befe51cf1e51df4e61e"
    "f6e620f8e621fbe723fde725"
)


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
        table = _interpolated(_VIRIDIS, np.clip(strength, 0, 1))
    else:
        anchors = _VIRIDIS if color_map is ColorMap.VIRIDIS else _PIYG
        table = _interpolated(anchors, (1 + strength) / 2)
    table = table.astype(np.float32)
    table.flags.writeable = False
    return table


def _interpolated(anchors: str, position: Array) -> Array:
    """Return the colours [n, 3] at positions in [0, 1] between evenly spaced anchors."""
    colors = np.frombuffer(bytes.fromhex(anchors), np.uint8).reshape(-1, 3)
    at = np.linspace(0, 1, len(colors))
    return np.stack([np.interp(position, at, channel) for channel in colors.T], axis=-1)
