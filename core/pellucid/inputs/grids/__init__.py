"""Rows of numbers as JSON in which each cell, a pixel say, takes the same number of bytes.

What explains a picture asks for thousands of rows that are, cell by cell, one of two pictures. In
such JSON a cell that was seen before at its place is known by its bytes: whoever writes it copies
its text, and whoever reads it copies its numbers. Anybody else reads plain JSON with more spaces
than usual.
"""

from __future__ import annotations

from pellucid.inputs.grids.aligned import aligned
from pellucid.inputs.grids.layout import WORD, Layout
from pellucid.inputs.grids.reader import GridReader
from pellucid.inputs.grids.writer import GridWriter

__all__ = ["WORD", "GridReader", "GridWriter", "Layout", "aligned"]
