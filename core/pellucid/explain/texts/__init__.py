"""Texts among the explained inputs: which ones are, and what each of their parts contributes."""

from __future__ import annotations

from pellucid.explain.texts.found import Texts, find_texts
from pellucid.explain.texts.played import shapley_of_words

__all__ = ["Texts", "find_texts", "shapley_of_words"]
