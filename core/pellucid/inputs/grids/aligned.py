"""Memory that TensorFlow computes from where it lies."""

from __future__ import annotations

import numpy as np

from pellucid.model import Array

ALIGNED = 64
"""TensorFlow copies numbers first that do not lie at a multiple of so many bytes."""


def aligned(size: int, before: int = 0) -> Array:
    """Return new bytes, uint8 [size], of which those after the first `before` are aligned."""
    room = np.empty(size + ALIGNED, np.uint8)
    first = -(room.ctypes.data + before) % ALIGNED
    return room[first : first + size]
