"""Texts in parts, models that are asked about texts without some of them, and LIME of words."""

from __future__ import annotations

from pellucid.methods.texts.cuts import (
    SPLIT_SECONDS,
    Cut,
    check_split,
    coarser,
    cut,
    graphemes,
)
from pellucid.methods.texts.text_lime import Sampling, lime_of_words, model_of_parts, parts
from pellucid.methods.texts.text_model import TextModel, readable, text_of

__all__ = [
    "SPLIT_SECONDS",
    "Cut",
    "Sampling",
    "TextModel",
    "check_split",
    "coarser",
    "cut",
    "graphemes",
    "lime_of_words",
    "model_of_parts",
    "parts",
    "readable",
    "text_of",
]
