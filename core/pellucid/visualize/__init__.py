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
from pellucid.visualize.named_parts import Part, Text, parts, texts
from pellucid.visualize.notebook import cell, first_picture, plotted
from pellucid.visualize.overlay import draw_change, draw_ranks
from pellucid.visualize.overview import (
    POINTS,
    ClassGroups,
    Counted,
    Maps,
    Overview,
    OverviewPicture,
    Spots,
    beeswarm,
    chance,
    class_groups,
    class_key,
    counted,
    cut_in_two,
    dependence,
    importance,
    is_drawn,
    map_of,
    overview_pictures,
    spots,
    top_words,
    words,
)
from pellucid.visualize.panel import encode, file_of
from pellucid.visualize.readable import variations
from pellucid.visualize.series import Series, SeriesDrawing, draw_series, series_of
from pellucid.visualize.terminal import character_picture, half_blocks
from pellucid.visualize.text_highlight import grounds
from pellucid.visualize.waterfall import largest

__all__ = [
    "FRAMES",
    "POINTS",
    "SMALL",
    "ClassGroups",
    "Counted",
    "Drawing",
    "File",
    "Maps",
    "Overview",
    "OverviewPicture",
    "Part",
    "Series",
    "SeriesDrawing",
    "Shown",
    "Spots",
    "Text",
    "View",
    "beeswarm",
    "cell",
    "chance",
    "character_picture",
    "chosen_settings",
    "class_groups",
    "class_key",
    "counted",
    "cut_in_two",
    "dependence",
    "draw_change",
    "draw_explanation",
    "draw_ranks",
    "draw_series",
    "drawing_damaged",
    "encode",
    "file_of",
    "files",
    "first_picture",
    "grounds",
    "half_blocks",
    "importance",
    "is_drawn",
    "largest",
    "map_of",
    "overview_pictures",
    "parts",
    "plotted",
    "series_of",
    "shown",
    "spots",
    "texts",
    "top_words",
    "variations",
    "words",
]
