"""Baselines as they are written: numbers, nested lists, files, random draws, ends of the domain."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from pellucid.errors import did_you_mean
from pellucid.metadata.documents.document import INVALID, Finding, Section, describe
from pellucid.metadata.documents.json_positions import quoted
from pellucid.metadata.published_schemas import EXACT
from pellucid.metadata.spec import (
    Baseline,
    DomainBaseline,
    FileBaseline,
    Nested,
    RandomBaseline,
    ValueBaseline,
)

SERVICE_LIMIT = 10
DEEPEST = 16
"""How deep the lists of a baseline may be nested: the highest rank of a tensor that it can have."""


class _ValuesError(Exception):
    """Values that do not go together, as the end of a sentence."""


def parse_baselines(
    feature: Section, name: str, findings: list[Finding], *, directory: FilePath, words: bool | None
) -> tuple[Baseline, ...] | None:
    """Return the baselines in a field of a feature, or None if one of them is not valid.

    ``words`` says whether the tensor holds text, so that strings are values. Where nothing says so,
    None, a number between quotes is a slip; of anything else the model's tensor decides.
    """
    written = feature.get(name)
    if written is None:
        return ()
    path = feature.at(name)
    if not isinstance(written, list):
        findings.append(
            Finding(code="MD036", message=f"is one number; write it as [{written}]", path=path)
        )
        written = [written]
    if len(written) > SERVICE_LIMIT:
        message = f"has {len(written)} baselines, the services allowed {SERVICE_LIMIT}"
        findings.append(Finding(code="MD035", message=message, path=path))
    made: list[Baseline] = []
    for place, item in enumerate(written):
        if item is INVALID:
            continue
        here = (*path, place) if isinstance(feature.get(name), list) else path
        try:
            baseline = _baseline(item, directory, words=words)
        except _ValuesError as fault:
            findings.append(Finding(code=EXACT, message=str(fault), path=here))
            continue
        if isinstance(baseline, DomainBaseline) and not _has_ends(feature):
            message = f"{quoted(baseline.end)} is the end of a domain, but the input has none"
            findings.append(Finding(code="MD043", message=message, path=here))
        made.append(baseline)
    return tuple(made) if len(made) == len(written) else None


def _has_ends(feature: Section) -> bool:
    if "domain" not in feature:
        return False
    domain = feature.section("domain")
    return domain is None or "min" in domain or "max" in domain


def _baseline(item: Any, directory: FilePath, *, words: bool | None) -> Baseline:
    """Return a baseline of one of the schema's forms. Raises _ValuesError."""
    match item:
        case "min" | "max":
            return DomainBaseline(end=item)
        case {"file": name}:
            return FileBaseline(path=str(directory.absolute() / name))
        case {"random": options}:
            return RandomBaseline(seed=int(options.get("seed", 0)))
        case _:
            value, _ = _nested(item, words=words)
            return ValueBaseline(value)


def _nested(item: Any, *, words: bool | None) -> tuple[Nested, tuple[int, ...]]:
    """Return a value with tuples for lists, and its shape. Raises _ValuesError."""
    slip = words is False or (words is None and isinstance(item, str) and _is_number(item))
    if isinstance(item, str) and slip:
        hint = "write the number without quotes" if _is_number(item) else _WORDS
        raise _ValuesError(f"must be a number or a list, not the string {quoted(item)}; {hint}")
    if not isinstance(item, list):
        return item, ()
    made, shapes = zip(*(_nested(it, words=words) for it in item), strict=True)
    if len(set(shapes)) > 1:
        raise _ValuesError("its lists differ in length; all at one depth must be equally long")
    return tuple(made), (len(item), *shapes[0])


_WORDS = 'words need "modality": "text" or "categorical", or an embedding'


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def baseline_message(item: Any, keyword: str, value: Any) -> str:
    """Return what is wrong with a baseline, in which a keyword of the schema refuses a value."""
    match item:
        case {"file": str(name), **others} if not others:
            return f"{quoted(name)} must be a .npy, .png or .jpg file"
        case {"random": {**options}, **others} if not others and set(options) == {"seed"}:
            return f"the seed must be an integer from 0, not {describe(value)}"
        case dict():
            near = did_you_mean(next(iter(item), ""), ["file", "random"])
            forms = '{"file": "baseline.npy"} or {"random": {"seed": 0}}'
            return f"an object must be {forms}{near}"
    if keyword == "minItems":
        return "an empty list has no values; write a number, which broadcasts"
    return f"must be a number or a list, not {describe(value)}"


def is_too_deep(item: object, left: int = DEEPEST) -> bool:
    """Return whether lists and objects are nested deeper than a baseline can be."""
    if not isinstance(item, list | dict):
        return False
    parts = item.values() if isinstance(item, dict) else item
    return left == 0 or any(is_too_deep(it, left - 1) for it in parts)
