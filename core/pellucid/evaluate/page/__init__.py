"""An evaluation as a page to read: what follows, the numbers, the curves, and the maps."""

from __future__ import annotations

from pellucid.evaluate.page.frame import facts, framed, section
from pellucid.evaluate.page.markup import Markup, joined, name_of, tag
from pellucid.evaluate.page.page import page_of
from pellucid.evaluate.page.tiles import bar, ground, levels, pressed

__all__ = [
    "Markup",
    "bar",
    "facts",
    "framed",
    "ground",
    "joined",
    "levels",
    "name_of",
    "page_of",
    "pressed",
    "section",
    "tag",
]
