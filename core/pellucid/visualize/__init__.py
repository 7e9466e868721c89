"""Explanations as pictures."""

from __future__ import annotations

from pellucid.visualize.animation import FRAMES
from pellucid.visualize.figures import File, Shown, View, drawing_damaged, files, shown
from pellucid.visualize.image_overlays import (
    SMALL,
    Drawing,
    chosen_settings,
    draw_explanation,
)
from pellucid.visualize.named_parts import Part, Text, texts
from pellucid.visualize.overlay import draw
from pellucid.visualize.panel import encode, file_of
from pellucid.visualize.terminal import character_picture, half_blocks
from pellucid.visualize.text_highlight import grounds
from pellucid.visualize.waterfall import largest

__all__ = [
    "FRAMES",
    "SMALL",
    "Drawing",
    "File",
    "Part",
    "Shown",
    "Text",
    "View",
    "character_picture",
    "chosen_settings",
    "draw",
    "draw_explanation",
    "drawing_damaged",
    "encode",
    "file_of",
    "files",
    "grounds",
    "half_blocks",
    "largest",
    "shown",
    "texts",
]
