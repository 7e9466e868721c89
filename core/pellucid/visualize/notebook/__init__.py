"""Explanations as notebooks show them: a cell of HTML, a picture, a chart on an axis."""

from __future__ import annotations

from pellucid.visualize.notebook.axes import plotted
from pellucid.visualize.notebook.cells import cell
from pellucid.visualize.notebook.pictures import first_picture

__all__ = ["cell", "first_picture", "plotted"]
