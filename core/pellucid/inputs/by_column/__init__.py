"""Many small instances at once: converted, checked and parts_of input by input."""

from __future__ import annotations

from pellucid.inputs.by_column.arrays import arrays_of, many, parts_of
from pellucid.inputs.by_column.cells import plain_rows

__all__ = ["arrays_of", "many", "parts_of", "plain_rows"]
