"""The JSON Schemas as they are published, for editors and other validators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pellucid.metadata.documents.document import schema
from pellucid.metadata.spec import Dialect

NAMES = (*(it.value for it in Dialect), "parameters")


def published_schema(name: str) -> dict[str, Any]:
    """Return a schema by its name, one of `NAMES`: a dialect's document, or parameters alone."""
    if name != "parameters":
        whole = schema(Dialect(name))
        root = {key: rule for key, rule in whole.items() if key != "$defs"}
        return {**whole, "$defs": _needed(whole["$defs"], set(_references(root)))}
    whole = schema(Dialect.VERTEX)
    return {
        "$schema": whole["$schema"],
        "title": "Vertex AI ExplanationParameters",
        "description": "Which method explains, with which settings, and which outputs.",
        "$ref": "#/$defs/parameters",
        "$defs": _needed(whole["$defs"], {"parameters"}),
    }


def _needed(definitions: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Return these definitions and all that they lead to; the file has those of requests, too."""
    while more := {it for name in names for it in _references(definitions[name])} - names:
        names |= more
    return {key: rule for key, rule in definitions.items() if key in names}


def _references(rule: Any) -> Iterator[str]:
    if isinstance(rule, dict):
        for key, part in rule.items():
            if key == "$ref":
                yield part.rpartition("/")[2]
            else:
                yield from _references(part)
    elif isinstance(rule, list):
        for part in rule:
            yield from _references(part)
