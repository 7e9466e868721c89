"""Series as pictures: lines over time, a heat map of time and channels, and totals of both."""

from __future__ import annotations

from pellucid.visualize.series.drawing import SeriesDrawing, draw_series
from pellucid.visualize.series.found import Series, series_of
from pellucid.visualize.series.picture import series_picture

__all__ = ["Series", "SeriesDrawing", "draw_series", "series_of", "series_picture"]
