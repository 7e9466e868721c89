"""How keys are spelled: by both services, and by people.

AI Platform writes snake_case, Vertex camelCase or its proto's snake_case. A key in another letter
case is understood too, and so are underscores anywhere in a key of Vertex.
"""

from __future__ import annotations

import re
from typing import Final

from pellucid.metadata.spec import OPTIONS, Dialect

VERTEX_NAMES: Final = {
    "feature_value_domain": "domain",
    "min_value": "min",
    "max_value": "max",
    **{it.vertex_key: name for name, it in OPTIONS.items() if it.vertex_key is not None},
    "index_display_name_mapping": "index_name_mapping",
    "display_name_mapping_key": "index_name_mapping_key",
}
"""Vertex fields, in snake case, that AI Platform calls otherwise."""


def snake(key: str) -> str:
    """Return a camelCase key in snake_case."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()


def camel(key: str) -> str:
    """Return a snake_case key in camelCase."""
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)


def spelled(name: str, dialect: Dialect) -> str:
    """Return a field's common name as a dialect writes it."""
    if dialect is Dialect.AI_PLATFORM:
        return name
    return {common: camel(word) for word, common in VERTEX_NAMES.items()}.get(name, camel(name))


def common_name(key: str, dialect: Dialect) -> str:
    """Return a dialect's own key as both dialects' structure has it."""
    return VERTEX_NAMES.get(snake(key), snake(key)) if dialect is Dialect.VERTEX else key


def folded(key: str, dialect: Dialect) -> str:
    """Return what all accepted spellings of a key have in common."""
    low = lowered(key)
    return low.replace("_", "") if dialect is Dialect.VERTEX else low


def lowered(word: str) -> str:
    """Return a word in lower case, whose letters are those of ASCII or it is another word."""
    return word.lower() if word.isascii() else word


def other_spellings(key: str, dialect: Dialect) -> str:
    """Return a regular expression (ECMA 262) of every accepted spelling of a key but this one."""
    gap = "_*" if dialect is Dialect.VERTEX else ""
    return f"^(?!{key}$){gap}{any_case(folded(key, dialect), gap)}$"


def any_case(word: str, gap: str = "") -> str:
    """Return a regular expression of a word in any letter case, with `gap` behind each letter."""
    letters = (f"[{it.lower()}{it.upper()}]" if it.isalpha() else it for it in word)
    return "".join(it + gap for it in letters)
