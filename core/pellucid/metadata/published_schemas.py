"""The JSON Schemas: as they are kept, and as they are published for editors and other validators.

The files in ``schemas/`` know the services' own spelling. What is published says what is accepted:
keys and values in any spelling that is understood. (The one thing it cannot say is that a key is
there twice in two spellings.)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from pellucid.metadata.spec import Dialect
from pellucid.metadata.spellings import any_case, lowered, other_spellings

NAMES = (*(it.value for it in Dialect), "parameters", "summary")
EXACT = "MD037"
"""The rule of what is Pellucid's own, baselines: their keys have one spelling."""
_OURS = ("x-rule", "x-ignore-case")


def unset_values(rule: Mapping[str, Any], dialect: Dialect) -> list[Any]:
    """Return the values of a field by which protobuf spells out that it is not set.

    Those are ``""`` and ``[]``, and in Vertex, whose documents are messages, 0 where the field
    could not be 0, as a number of steps, and for an enum. (``…_UNSPECIFIED`` is one of its words.)
    """
    kinds = rule.get("type", ())
    found: list[Any] = [""] if kinds == "string" else [[]] if "array" in kinds else []
    positive = rule.get("minimum", 0) > 0 or "exclusiveMinimum" in rule or "not" in rule
    number = kinds in ("integer", "number") and positive
    return [*found, 0] if dialect is Dialect.VERTEX and ("enum" in rule or number) else found


@cache
def schema(dialect: Dialect) -> Any:
    """Return the JSON Schema of a dialect in its own spelling."""
    return _read("vertex" if dialect is Dialect.VERTEX else "ai_platform")


def _read(name: str) -> Any:
    return json.loads(
        (files("pellucid.metadata") / "schemas" / f"{name}.schema.json").read_text("utf-8")
    )


def published_schema(name: str) -> dict[str, Any]:
    """Return a schema by its name, one of `NAMES`.

    It is that of a dialect's document, of parameters alone, or of the summary of a run, which is
    written and not read, and has one spelling.
    """
    if name == "summary":
        summary: dict[str, Any] = _read(name)
        return summary
    dialect = Dialect.AI_PLATFORM if name == Dialect.AI_PLATFORM.value else Dialect.VERTEX
    whole = schema(dialect)
    root = {key: rule for key, rule in whole.items() if key != "$defs"}
    if name == "parameters":
        root = {
            "$schema": whole["$schema"],
            "title": "Vertex AI ExplanationParameters",
            "description": "Which method explains, with which settings, and which outputs.",
            "$ref": "#/$defs/parameters",
        }
    needed = _needed(whole["$defs"], set(_references(root)))
    published: dict[str, Any] = _widened({**root, "$defs": needed}, dialect, "#")
    return published


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


def _widened(
    rule: Any, dialect: Dialect, place: str, fields: Mapping[str, Any] | None = None
) -> Any:
    """Return the part of a schema at `place` with every spelling that is understood.

    The services' own spelling stays in ``properties``, which is what editors offer; the others are
    patterns that lead there. `fields` are the properties of the object that is asked about.
    """
    if not isinstance(rule, dict):
        return rule
    made = {key: part for key, part in rule.items() if key not in _OURS}
    fields = rule.get("properties", {}) if fields is None else fields
    if rule.get("x-rule") == EXACT:
        return made
    for key in ("$defs", "properties", "patternProperties"):
        if key in made:
            made[key] = {
                name: _widened(part, dialect, f"{place}/{key}/{name}")
                for name, part in made[key].items()
            }
    if "properties" in made:
        made["properties"] = {
            name: _optional(part, unset_values(fields[name], dialect))
            for name, part in made["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = _widened(made[key], dialect, f"{place}/{key}")
    if "if" in made:  # a kind of document is told by its keys in any letter case, and no more
        made["if"] = _widened(made["if"], Dialect.AI_PLATFORM, "")
    if "anyOf" in made:
        made["anyOf"] = [_widened(it, dialect, "", fields) for it in made["anyOf"]]
    if "properties" in made:
        others = {
            other_spellings(name, dialect): {"$ref": f"{place}/properties/{name}"}
            for name in made["properties"]
        }
        made["patternProperties"] = {**made.get("patternProperties", {}), **others}
    if "required" in made:
        made["allOf"] = [
            _has(key, dialect, unset_values(fields.get(key, {}), dialect))
            for key in made.pop("required")
        ]
    if rule.get("x-ignore-case"):
        words = made.pop("enum")
        pattern = "|".join(map(any_case, dict.fromkeys(map(lowered, words))))
        made["anyOf"] = [{"enum": words}, {"type": "string", "pattern": f"^({pattern})$"}]
    return made


def _optional(rule: dict[str, Any], unset: list[Any]) -> dict[str, Any]:
    """Return the schema of a field that may be spelled out as not set."""
    refuses = {"enum", "anyOf", "pattern", "minItems", "minimum", "exclusiveMinimum"}
    if not unset or not refuses & rule.keys():
        return rule
    if "anyOf" in rule:  # what ignores case has several forms already
        others = {key: part for key, part in rule.items() if key != "type"}
        return {**others, "anyOf": [*rule["anyOf"], {"enum": unset}]}
    return {"description": rule["description"], "anyOf": [rule, {"enum": unset}]}


def _has(key: str, dialect: Dialect, unset: list[Any]) -> dict[str, Any]:
    """Return a schema of the objects that have a key in one of its spellings, and set."""
    written = f"{other_spellings(key, dialect)}|^{key}$"
    return {"not": {"patternProperties": {written: {"enum": unset} if unset else False}}}
