"""Numbers below the normal range of floats, which TensorFlow's threads take for 0.

A thread of ours that runs a model has to do the same: its results would differ in these numbers,
and some processors compute with them a hundred times more slowly.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from ctypes import c_uint32

# What fegetenv(3) fills in: how many words, in which one the control register is, and its bits that
# flush results (x86: and operands) to 0.
_LAYOUTS = {"x86_64": (8, 7, 0x8040), "aarch64": (2, 0, 1 << 24)}


def flush_denormals() -> bool:
    """Have this thread, and those that it starts, take such numbers for 0; return whether it does.

    Source: fenv(3) and <bits/fenv.h> of the GNU C library.
    """
    layout = _LAYOUTS.get(platform.machine())
    if sys.platform != "linux" or layout is None:
        return False
    try:
        library = ctypes.CDLL("libm.so.6")
    except OSError:
        return False
    words, register, bits = layout
    environment = (c_uint32 * words)()
    if library.fegetenv(environment) != 0:
        return False
    environment[register] |= bits
    return bool(library.fesetenv(environment) == 0)
