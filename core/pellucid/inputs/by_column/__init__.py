"""Many small instances at once: converted, checked and parts_of input by input."""

from __future__ import annotations

from pellucid.inputs.by_column.arrays import arrays_of, many, parts_of
from pellucid.inputs.by_column.cells import plain_rows
from pellucid.inputs.by_column.plain_lines import PlainLine, is_blank, is_plain

__all__ = ["PlainLine", "arrays_of", "is_blank", "is_plain", "many", "parts_of", "plain_rows"]
