"""What many explanations have in common, class by class: in numbers, and as pictures."""

from __future__ import annotations

from pellucid.visualize.overview.all_pictures import OverviewPicture, overview_pictures
from pellucid.visualize.overview.importance import importance
from pellucid.visualize.overview.numbers import (
    POINTS,
    Counted,
    Overview,
    Spots,
    chance,
    class_key,
    counted,
    is_drawn,
    spots,
)
from pellucid.visualize.overview.scatter import beeswarm, dependence
from pellucid.visualize.overview.words import top_words, words

__all__ = [
    "POINTS",
    "Counted",
    "Overview",
    "OverviewPicture",
    "Spots",
    "beeswarm",
    "chance",
    "class_key",
    "counted",
    "dependence",
    "importance",
    "is_drawn",
    "overview_pictures",
    "spots",
    "top_words",
    "words",
]
