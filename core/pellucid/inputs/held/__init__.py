"""What programs hold instead of files: DataFrames, and columns by their names."""

from __future__ import annotations

from pellucid.inputs.held.frames import is_frame, is_series, open_columns, open_frame

__all__ = ["is_frame", "is_series", "open_columns", "open_frame"]
