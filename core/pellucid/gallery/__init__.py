"""A finished run as a page to look through."""

from __future__ import annotations

from pellucid.gallery.page import INDEX, OVERVIEW, Entry, is_gallery, write_gallery
from pellucid.gallery.run_folder import read_entries

__all__ = ["INDEX", "OVERVIEW", "Entry", "is_gallery", "read_entries", "write_gallery"]
