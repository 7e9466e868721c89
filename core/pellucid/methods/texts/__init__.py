"""Texts in parts, and models that are asked about texts without some of them."""

from __future__ import annotations

from pellucid.methods.texts.cuts import Cut, check_split, coarser, cut, graphemes
from pellucid.methods.texts.text_model import TextModel, readable, text_of

__all__ = ["Cut", "TextModel", "check_split", "coarser", "cut", "graphemes", "readable", "text_of"]
