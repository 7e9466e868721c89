"""A finished run, read back from its folder: results, failures and pictures, as a gallery needs it.

Nothing but the layout of the folder is assumed: ``explanation.results-…`` lines in the form of
either service, ``errors.jsonl``, and ``overlays/``, ``thumbnails/`` and ``originals/``. A line says
where its overlays are. In folders that were written before lines did, they are found by their
places, which mirror those of the inputs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from pellucid.errors import SpecError
from pellucid.files import open_file, read_bytes
from pellucid.gallery.page import Entry, first_label
from pellucid.inputs import IMAGE_SUFFIXES
from pellucid.notices import Where

RESULTS = "explanation.results-*-of-*"
ERRORS, SUMMARY = "errors.jsonl", "summary.json"
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
LOOKED_AT = 1000
NAME = 200


def read_entries(folder: Path) -> Iterator[Entry]:
    """Yield an entry for each line of the results, then one for each input that failed.

    The pictures of an input are those that its line names, else those whose path below
    ``overlays/`` is its own with a suffix added. Raises SpecError if the folder holds no results,
    or if a line is not what it should be.
    """
    files = sorted(p for p in folder.glob(RESULTS) if not p.name.startswith("."))
    if not files:
        raise SpecError(
            "holds no explanation.results-… file",
            where=Where(file=str(folder)),
            hint="name a folder that batch wrote",
        )
    return _entries(folder, files)


def _entries(folder: Path, files: list[Path]) -> Iterator[Entry]:
    overlays, thumbnails, originals = (
        _Tree(folder, name) for name in ("overlays", "thumbnails", "originals")
    )
    above = _parts_above(overlays, files)
    places = _numbered_places(overlays, files)
    number = 0
    for file in files:
        for row in _lines(file):
            number += 1
            name = input_of(row)
            place = overlays.place_of(row.get("overlays"))
            if place is None and "overlays" not in row:
                place = next(places, None) if name is None else _place(name, above)
            found = first_label(row)
            yield Entry(
                name=name or _text(row) or place or f"instance {number}",
                overlay=overlays.at(place),
                thumbnail=thumbnails.at(place),
                original=originals.at(place) or _original(folder, name),
                label=_name(found.get("label_name", found.get("outputDisplayName"))),
                score=_float(found.get("example_score", found.get("instanceOutputValue"))),
                approx_error=_float(found.get("approx_error", found.get("approximationError"))),
                row=row,
            )
    errors = folder / ERRORS
    for row in _lines(errors) if errors.exists() else ():
        name = input_of(row)
        yield Entry(
            name=name or "an input",
            original=_original(folder, name),
            row=row,
            error=str(row.get("error") or row.get("reason") or "failed, without a reason"),
        )


def findings_in(folder: Path) -> list[str]:
    """Return what the run in a folder found as a whole, in sentences."""
    found = _summary(folder).get("findings", ())
    return [str(it) for it in found] if isinstance(found, list) else []


def knew_truth(folder: Path) -> bool:
    """Whether the run in a folder knew the true labels, which its lines of results do not have."""
    return "truth" in _summary(folder)


def _summary(folder: Path) -> dict[str, Any]:
    """Return the summary of a run, or nothing where there is none, or no such document."""
    try:
        found = orjson.loads(read_bytes(folder / SUMMARY))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def input_of(row: Mapping[str, Any]) -> str | None:
    """Return the input that a line is about: the path of a picture, or None for other data."""
    named = row.get("input", row.get("source"))
    if isinstance(named, str):
        return named
    value = row.get("instance")
    # Text and base64 are instances, too.
    is_path = isinstance(value, str) and PurePosixPath(value).suffix.lower() in IMAGE_SUFFIXES
    return value if is_path else None


def _text(row: Mapping[str, Any]) -> str | None:
    """Return the beginning of an instance that is text, and not letters of base64."""
    value = row.get("instance")
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    return value[:NAME] if isinstance(value, str) and " " in value[:NAME] else None


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with open_file(file) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                where = Where(file=str(file), line=number)
                raise SpecError(f"is not JSON: {error}", where=where) from None
            if not isinstance(row, dict):
                where = Where(file=str(file), line=number)
                raise SpecError("is no JSON object, as each line must be", where=where)
            yield row


def _name(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _original(folder: Path, name: str | None) -> str | None:
    """Return the path of the input from the folder, if it is a picture that is still there."""
    if name is None or Path(name).suffix.lower() not in (*PICTURES, ".gif", ".bmp", ".avif"):
        return None
    if not os.path.isfile(name):  # False, too, for what can be no name
        return None
    return Path(os.path.relpath(name, folder)).as_posix()


class _Tree:
    """The pictures below a folder, found by the places of the inputs that they mirror."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._found = {
            path.removesuffix(suffix): suffix
            for directory, _, files in os.walk(folder / name)
            for path in ((Path(directory) / f).relative_to(folder / name).as_posix() for f in files)
            for suffix in [PurePosixPath(path).suffix]
            if suffix in PICTURES
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def place_of(self, linked: object) -> str | None:
        """Return the place of the first picture that a line names, if it is one of these."""
        for path in linked.values() if isinstance(linked, dict) else ():
            folder, _, inner = str(path).partition("/")
            place, suffix = os.path.splitext(inner)
            if folder == self._name and self._found.get(place) == suffix:
                return place
        return None

    def at(self, place: str | None) -> str | None:
        if place is None or place not in self._found:
            return None
        return f"{self._name}/{place}{self._found[place]}"


def _place(name: str, above: int) -> str:
    """Return where the pictures of an input lie, without their own suffix."""
    return "/".join(PurePosixPath(Path(name).as_posix()).parts[above:])


def _parts_above(overlays: _Tree, files: list[Path]) -> int:
    """Return how many parts of the inputs' paths lead to the folder that was explained."""
    rows = islice((row for file in files for row in _lines(file)), LOOKED_AT)
    names = [name for name in map(input_of, rows) if name is not None]
    deepest = max((len(Path(name).parts) for name in names), default=1)
    hits = [
        sum(overlays.at(_place(name, above)) is not None for name in names)
        for above in range(deepest)
    ]
    return hits.index(max(hits))


def _numbered_places(overlays: _Tree, files: list[Path]) -> Iterator[str]:
    """Yield the places of the pictures of one file's instances, ``requests.jsonl.0``, in order.

    There are none unless every line without a path has one: a wrong picture would be worse.
    """
    found = [match for place in overlays if (match := re.fullmatch(r"(.*)\.(\d+)", place))]
    if len({match[1] for match in found}) != 1:
        return
    unnamed = sum(input_of(row) is None for file in files for row in _lines(file))
    if unnamed == len(found):
        yield from (match[0] for match in sorted(found, key=lambda match: int(match[2])))
