"""Series among the explained inputs: which ones are, and who plays for them."""

from __future__ import annotations

from pellucid.explain.series.players import is_series, series_labels, windows_said

__all__ = ["is_series", "series_labels", "windows_said"]
