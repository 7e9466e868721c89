"""What many explanations have in common, class by class: in numbers, and as pictures."""

from __future__ import annotations

from pellucid.visualize.overview.all_pictures import OverviewPicture, overview_pictures
from pellucid.visualize.overview.groups import ClassGroups, class_groups, cut_in_two, groups_of
from pellucid.visualize.overview.importance import importance
from pellucid.visualize.overview.maps import Maps, map_of
from pellucid.visualize.overview.numbers import (
    POINTS,
    Counted,
    Overview,
    chance,
    class_key,
    counted,
    is_drawn,
)
from pellucid.visualize.overview.scatter import beeswarm, dependence
from pellucid.visualize.overview.spots import Spots, spots
from pellucid.visualize.overview.words import top_words, words

__all__ = [
    "POINTS",
    "ClassGroups",
    "Counted",
    "Maps",
    "Overview",
    "OverviewPicture",
    "Spots",
    "beeswarm",
    "chance",
    "class_groups",
    "class_key",
    "counted",
    "cut_in_two",
    "dependence",
    "groups_of",
    "importance",
    "is_drawn",
    "map_of",
    "overview_pictures",
    "spots",
    "top_words",
    "words",
]
