"""Baselines as they are written: numbers, nested lists, files, random draws, ends of the domain."""

from __future__ import annotations

from pathlib import Path as FilePath

from pellucid.errors import did_you_mean
from pellucid.metadata.documents.document import Finding, Section, describe
from pellucid.metadata.documents.json_positions import Path, quoted
from pellucid.metadata.spec import (
    Baseline,
    DomainBaseline,
    FileBaseline,
    Nested,
    RandomBaseline,
    ValueBaseline,
)

SERVICE_LIMIT = 10
_FILE_TYPES = (".npy", ".png", ".jpg", ".jpeg")
_HIGHEST_RANK = 16


class _FormError(Exception):
    """A baseline that has no valid form, as the end of a sentence."""


def parse_baselines(
    feature: Section, name: str, findings: list[Finding], *, directory: FilePath, words: bool
) -> tuple[Baseline, ...] | None:
    """Return the baselines in a field of a feature, or None if one of them is not valid.

    ``words`` says that the tensor holds text, so that strings are values.
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
        here = (*path, place) if isinstance(feature.get(name), list) else path
        baseline = _baseline(item, here, findings, directory=directory, words=words)
        if isinstance(baseline, DomainBaseline) and not _has_ends(feature):
            message = f"{quoted(baseline.end)} is the end of a domain, but the input has none"
            findings.append(Finding(code="MD043", message=message, path=here))
        if baseline is not None:
            made.append(baseline)
    return tuple(made) if len(made) == len(written) else None


def _has_ends(feature: Section) -> bool:
    if "domain" not in feature:
        return False
    domain = feature.section("domain")
    return domain is None or "min" in domain or "max" in domain


def _baseline(
    item: object, path: Path, findings: list[Finding], *, directory: FilePath, words: bool
) -> Baseline | None:
    try:
        match item:
            case "min" | "max":
                return DomainBaseline(end=str(item))
            case dict():
                return _special(item, directory)
            case _:
                value, _ = _nested(item, words=words, depth=0)
                return ValueBaseline(value)
    except _FormError as fault:
        findings.append(Finding(code="MD037", message=str(fault), path=path))
        return None


def _special(item: dict[str, object], directory: FilePath) -> Baseline:
    match item:
        case {"file": str(name), **rest} if not rest:
            if not name.lower().endswith(_FILE_TYPES) or "\0" in name:
                raise _FormError(f"{quoted(name)} must be a .npy, .png or .jpg file")
            return FileBaseline(path=str(directory.absolute() / name))
        case {"random": {**options}, **rest} if not rest and set(options) <= {"seed"}:
            seed = options.get("seed", 0)
            if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
                raise _FormError(f"the seed must be an integer from 0, not {describe(seed)}")
            return RandomBaseline(seed=seed)
    near = did_you_mean(next(iter(item), ""), ["file", "random"])
    raise _FormError('an object must be {"file": "baseline.npy"} or {"random": {"seed": 0}}' + near)


def _nested(item: object, *, words: bool, depth: int) -> tuple[Nested, tuple[int, ...]]:
    """Return a value with tuples for lists, and its shape."""
    if depth > _HIGHEST_RANK:
        raise _FormError(f"lists are nested more than {_HIGHEST_RANK} deep")
    if isinstance(item, int | float) and not isinstance(item, bool):
        return item, ()
    if isinstance(item, str) and words:
        return item, ()
    if isinstance(item, str):
        hint = "write the number without quotes" if _is_number(item) else _WORDS
        raise _FormError(f"must be a number or a list, not the string {quoted(item)}; {hint}")
    if not isinstance(item, list):
        raise _FormError(f"must be a number or a list, not {describe(item)}")
    if not item:
        raise _FormError("an empty list has no values; write a number, which broadcasts")
    made, shapes = zip(*(_nested(it, words=words, depth=depth + 1) for it in item), strict=True)
    if len(set(shapes)) > 1:
        raise _FormError("its lists differ in length; all at one depth must be equally long")
    return tuple(made), (len(item), *shapes[0])


_WORDS = 'words need "modality": "text" or "categorical", or an embedding'


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
