"""Texts among the explained inputs: which ones are, and what each of their parts contributes."""

from __future__ import annotations

from pellucid.explain.texts.found import Texts, find_texts, is_string
from pellucid.explain.texts.masked import Apart, answered
from pellucid.explain.texts.played import lime_of_strings, shapley_of_words
from pellucid.explain.texts.tokens import (
    LookedUp,
    TokenReader,
    Tokens,
    apart,
    behind_said,
    cuts_of,
    read_of,
    starts_said,
    tokens_in,
    tokens_of,
    unseen_said,
)

__all__ = [
    "Apart",
    "LookedUp",
    "Texts",
    "TokenReader",
    "Tokens",
    "answered",
    "apart",
    "behind_said",
    "cuts_of",
    "find_texts",
    "is_string",
    "lime_of_strings",
    "read_of",
    "shapley_of_words",
    "starts_said",
    "tokens_in",
    "tokens_of",
    "unseen_said",
]
