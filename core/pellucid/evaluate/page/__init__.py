"""An evaluation as a page to read: what follows, the numbers, the curves, and the maps."""

from __future__ import annotations

from pellucid.evaluate.page.page import page_of

__all__ = ["page_of"]
