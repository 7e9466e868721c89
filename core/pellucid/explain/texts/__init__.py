"""Texts among the explained inputs: which ones are, and what each of their parts contributes."""

from __future__ import annotations

from pellucid.explain.texts.found import Texts, find_texts, is_string
from pellucid.explain.texts.played import lime_of_strings, shapley_of_words

__all__ = ["Texts", "find_texts", "is_string", "lime_of_strings", "shapley_of_words"]
