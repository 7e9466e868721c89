"""Files of instances as people name them: folders, patterns, lists, here (`named`) or elsewhere."""

from __future__ import annotations

from pellucid.inputs.found.kinds import SUFFIXES, is_input
from pellucid.inputs.found.named import STDIN, Input, Inputs, names_in
from pellucid.inputs.found.places import place_below, root_of
from pellucid.inputs.found.runs import TREES

__all__ = [
    "STDIN",
    "SUFFIXES",
    "TREES",
    "Input",
    "Inputs",
    "is_input",
    "names_in",
    "place_below",
    "root_of",
]
