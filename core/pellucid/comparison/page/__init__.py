"""Comparisons as pages to read: what follows, the numbers, and the instances side by side."""

from __future__ import annotations

from pellucid.comparison.page.diff_page import diff_page
from pellucid.comparison.page.parity_page import parity_page

__all__ = ["diff_page", "parity_page"]
