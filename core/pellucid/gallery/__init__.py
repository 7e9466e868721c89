"""A finished run as a page to look through."""

from __future__ import annotations

from pellucid.gallery.brief_rows import LEADING, Leading, brief
from pellucid.gallery.page import INDEX, OVERVIEW, Entry, is_gallery, write_gallery
from pellucid.gallery.run_folder import findings_in, knew_truth, read_entries
from pellucid.gallery.template import Template, read_template

__all__ = [
    "INDEX",
    "LEADING",
    "OVERVIEW",
    "Entry",
    "Leading",
    "Template",
    "brief",
    "findings_in",
    "is_gallery",
    "knew_truth",
    "read_entries",
    "read_template",
    "write_gallery",
]
