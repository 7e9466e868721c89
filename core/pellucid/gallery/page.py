"""The gallery: one page to look through a whole run, opened from disk, with nothing fetched.

The page carries its style, its script and the entries; the pictures stay files beside it. 10,000
entries are one page of a few megabytes; more are more pages, ``index-2.html`` and so on, each
linked to the next.
"""

from __future__ import annotations

import html
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson

from pellucid.errors import OutputError
from pellucid.files import create, open_file, rename, sync, sync_folder
from pellucid.gallery.single_numbers import are_numbers, is_number, sizes_of
from pellucid.gallery.template import read_template
from pellucid.notices import Where
from pellucid.printable import encodable, printable

PER_PAGE = 10_000
INDEX = "index.html"
OVERVIEW = "summary"
"""The folder with the pictures of the whole run, which the first page shows in their order."""

SCRIPTS = ("gallery_entries.js", "gallery_grid.js", "gallery_detail.js", "gallery.js")
# Bytes of JSON of all rows of a page, about: the first rows are whole, and the fuller the page the
# more is left out of long lists. No row is cut below the second number without need.
ROWS, ROW = 4_000_000, 400
# List items and letters of a text that are kept, from much to little.
CUTS = ((1_000_000, 1000), (100, 300), (16, 200), (4, 100), (1, 60))
# Of so few numbers, an object keeps all; a key is cut from so many letters on.
FEW, _NAME = 8, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One input of a run: what was found, and where its pictures are.

    `overlay`, `original` and `thumbnail` are paths relative to the folder of the page, with ``/``
    between their parts; `thumbnail` is a small overlay, at most 256 pixels. `row` is the line
    of the results, without pictures, read or not yet, and `size` how many bytes that is, where it
    is known, `brief` what a full page has of it. `error` says why the input failed, if it did.
    Where the truth is known, `truth` is the true label and `predicted` what the model says.
    """

    name: str
    overlay: str | None = None
    original: str | None = None
    thumbnail: str | None = None
    label: str | None = None
    score: float | None = None
    approx_error: float | None = None
    row: Mapping[str, object] | bytes = field(default_factory=dict)
    size: int | None = None
    brief: str | None = None
    error: str | None = None
    truth: str | None = None
    predicted: str | None = None


def write_gallery(
    folder: Path, entries: Iterable[Entry], *, title: str, findings: Sequence[str] = ()
) -> Path:
    """Write ``index.html`` into `folder`, and more pages if there are more than 10,000 entries.

    Entries are taken one by one; a page holds some megabytes of memory, whatever the number. All
    pages appear under their names when the last is complete; pages of a longer run before are
    removed. `findings` are what the first says of the whole run, in sentences. Returns the path of
    the first. Raises OutputError.
    """
    pages: list[tuple[Path, Path, int]] = []
    total = failed = 0
    try:
        try:
            page = _Page(first=0)
            for entry in entries:
                if page.full:
                    pages.append(page.write(folder, len(pages) + 1, title, findings))
                    page = _Page(first=total)
                page.add(entry)
                total += 1
                failed += entry.error is not None
            pages.append(page.write(folder, len(pages) + 1, title, findings))
            for number, (partial, _, place) in enumerate(pages, 1):
                with partial.open("r+b") as file:
                    file.seek(place)
                    file.write(_run(number, len(pages), total, failed))
                    sync(file)
            # The first page last: it shows the others only when they are there.
            for partial, path, _ in reversed(pages):
                rename(partial, path)
            sync_folder(folder)
        finally:
            for partial, _, _ in pages:
                partial.unlink(missing_ok=True)
        for old in folder.glob("index-*.html"):
            match = re.fullmatch(r"index-(\d+)\.html", old.name)
            if match and int(match[1]) > len(pages) and is_gallery(old):
                old.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror or error}",
            where=Where(file=str(error.filename or folder)),
        ) from error
    return folder / INDEX


def first_label(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a line of results says of its first label, in the form of either service."""
    explanation = row.get("explanation")
    if isinstance(explanation, dict):
        for key in ("attributions_by_label", "attributions"):
            found = explanation.get(key)
            if isinstance(found, list) and found and isinstance(found[0], dict):
                return found[0]
    return {}


def features_of(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributions of the first label of a line of results, by feature."""
    label = first_label(row)
    found = label.get("attributions", label.get("featureAttributions"))
    return found if isinstance(found, dict) else {}


def is_gallery(path: Path) -> bool:
    """Whether a file is a page that `write_gallery` wrote."""
    with open_file(path) as file:
        return b'<meta name="generator" content="Pellucid">' in file.read(4096)


class _Page:
    """The entries of one page, in columns, as they are written into it."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._left = ROWS
        self._rows: list[bytes] = []
        self._labels: list[str | None] = []
        self._columns: dict[str, list[Any]] = {
            name: []
            for name in ("names", "overlays", "originals", "thumbnails", "scores", "approx")
        }
        self._errors: dict[str, str] = {}
        self._verdicts: list[tuple[str | None, str | None]] = []

    @property
    def full(self) -> bool:
        return len(self._rows) == PER_PAGE

    def add(self, entry: Entry) -> None:
        if entry.error is not None:
            self._errors[str(len(self._rows))] = printable(entry.error)
        self._labels.append(_said_or_none(entry.label))
        self._verdicts.append((_said_or_none(entry.truth), _said_or_none(entry.predicted)))
        values = (
            printable(entry.name),
            url(entry.overlay),
            url(entry.original),
            url(entry.thumbnail),
            _number(entry.score),
            _number(entry.approx_error),
        )
        for column, value in zip(self._columns.values(), values, strict=True):
            column.append(value)
        row = _row_of(entry, max(ROW, self._left // 50))
        self._left = max(0, self._left - len(row))
        self._rows.append(row)

    def write(
        self, folder: Path, number: int, title: str, findings: Sequence[str]
    ) -> tuple[Path, Path, int]:
        """Write the page aside; return where it lies, what to call it, and where its run stands."""
        labels, label = _numbered(self._labels)
        document = {
            "first": self._first,
            "labels": labels,
            "label": label,
            "errors": self._errors,
            **self._truth(),
            **self._columns,
        }
        run = _run(number, 1, 0, 0)
        page = _filled(
            title=html.escape(printable(title)).encode(),
            run=run,
            overview=_overview(folder, findings) if number == 1 else b"",
            entries=_inside_script(orjson.dumps(document)),
            rows=_inside_script(b"\n".join(self._rows)),
        )
        path = folder / (INDEX if number == 1 else f"index-{number}.html")
        partial = folder / f".{path.name}.partial"
        try:
            with create(partial) as file:
                file.write(page)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        return partial, path, page.index(run)

    def _truth(self) -> dict[str, Any]:
        """Return the true labels, and what the model says where that is another, if known."""
        if all(truth is None for truth, _ in self._verdicts):
            return {}
        truths, truth = _numbered([it for it, _ in self._verdicts])
        wrong = [None if one is None or one == other else other for one, other in self._verdicts]
        said, mistake = _numbered(wrong)
        return {"truths": truths, "truth": truth, "mistakes": said, "mistake": mistake}


def _row_of(entry: Entry, limit: int) -> bytes:
    """Return the row of an entry as JSON of about `limit` bytes at most."""
    if entry.brief is not None and limit == ROW:
        return entry.brief.encode()
    row = orjson.loads(entry.row) if isinstance(entry.row, bytes) else entry.row
    return shortened(row, limit, entry.size)


def _numbered(names: Sequence[str | None]) -> tuple[list[str], list[int]]:
    """Return the different names, and the place of each among them, -1 for none.

    The most frequent comes first, and those as frequent as each other by name.
    """
    counts = Counter(name for name in names if name is not None)
    known = sorted(counts, key=lambda name: (-counts[name], name))
    places: dict[str | None, int] = {name: place for place, name in enumerate(known)}
    return known, [places.get(name, -1) for name in names]


def _said_or_none(name: str | None) -> str | None:
    return None if name is None else printable(name)


def _overview(folder: Path, findings: Sequence[str]) -> bytes:
    """Return the pictures of the whole run, in the order of their names, if there are any."""
    names = sorted(path.name for path in (folder / OVERVIEW).glob("*.png"))
    if not names:
        return b""
    images = "\n".join(
        f'<img loading="lazy" src="{html.escape(url(f"{OVERVIEW}/{name}") or "")}" '
        f'alt="{html.escape(printable(_said(name)))}">'
        for name in names
    )
    found = "".join(f"<li>{html.escape(printable(it))}</li>" for it in findings)
    said = f"<ul>{found}</ul>\n" if found else ""
    return (
        '<details id="overview" open><summary>What counts for each class</summary>\n'
        f"{said}<div>\n{images}\n</div></details>"
    ).encode()


def _said(name: str) -> str:
    """Return what a picture of the whole run shows, by its name: ``01.beeswarm.cat.png``."""
    return name.removesuffix(".png").partition(".")[2].replace(".", " ")


def _run(page: int, pages: int, entries: int, failed: int) -> bytes:
    """Return what a page knows of the run; always as long, so that it can be filled in later."""
    said = f"page={page:06} pages={pages:06} entries={entries:012} failed={failed:012}"
    return said.encode()


def _filled(**gaps: bytes) -> bytes:
    template = read_template("pellucid.gallery", "gallery.html", "gallery.css", SCRIPTS)
    return template.filled(**gaps)


def _inside_script(document: bytes) -> bytes:
    """Keep ``</script>`` and ``<!--`` out of JSON; ``\\u003c`` is the same letter."""
    return document.replace(b"<", b"\\u003c")


def url(path: str | None) -> str | None:
    """Return a relative path as a URL, whatever bytes the file's name is made of."""
    return None if path is None else quote(path.encode("utf-8", "surrogateescape"), safe="/")


def shortened(row: Mapping[str, object], limit: int, size: int | None = None) -> bytes:
    """Return a row as JSON of about `limit` bytes at most: what is too long in it is cut, and said.

    Base64 goes, other long texts keep their beginning, long lists their first items, and objects of
    many numbers those that count most for the first label. `size` is the length of the whole, where
    it is known.
    """
    encoded = b""
    leading = _Leading(row)
    size = _size(row) if size is None else size
    for items, letters in CUTS:
        share = min(1.0, items / max(1, len(leading.names))) if leading.names else 1.0
        if size * share > 2 * limit and (items, letters) in CUTS[: -1 if leading.names else 1]:
            continue  # it would be too long, which is found out faster than by cutting it
        encoded = orjson.dumps(_cut(row, items, letters, leading))
        if len(encoded) <= limit:
            return encoded
    if len(encoded) <= 10 * limit:
        return encoded
    return orjson.dumps({"…": f"{len(row)} keys, too long for this page; see the results"})


def _size(row: Mapping[str, object]) -> int:
    """Return the length of a row as JSON, 0 where that cannot be told."""
    try:
        return len(orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY))
    except TypeError:  # a lone surrogate, a number of 65 bits: cutting sees to these
        return 0


class _Leading:
    """The features of a row, those first that count most for its first label."""

    def __init__(self, row: Mapping[str, object]) -> None:
        self._row = row

    @cached_property
    def names(self) -> list[str]:
        """Their names, where they are many single numbers."""
        features = features_of(self._row)
        if len(features) <= FEW:
            return []
        sizes = sizes_of(features.values())
        if sizes is None:
            return []
        order = np.argsort(-np.abs(np.array(sizes, np.float64)), kind="stable").tolist()
        names = [*features]
        return [names[place] for place in order]

    def of(self, mapping: Mapping[str, object], count: int) -> dict[str, object]:
        """Return so many entries of an object of numbers, and how many more there are."""
        kept = [*islice((name for name in self.names if name in mapping), count)]
        kept = kept or [*islice(mapping, count)]
        found = {_key(str(name)): mapping[name] for name in kept}
        return {**found, f"… {len(mapping) - len(kept):,} more": None}


def _cut(value: object, items: int, letters: int, leading: _Leading) -> object:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, str):
        text = encodable(value[:letters])
        return text if len(value) <= letters else f"{text}… {len(value):,} letters"
    if isinstance(value, Mapping):
        if len(value) > FEW and are_numbers([*islice(value.values(), FEW)]):
            if len(value) > items:
                return leading.of(value, items)
            if _are_plain(value):
                return value
        return {
            _key(str(key)): inner
            if is_number(inner)
            else _cut(inner, items, 0 if str(key).startswith("b64") else letters, leading)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        if len(value) <= items and {*map(type, value)} <= {float}:
            return value
        kept = [_cut(item, items, letters, leading) for item in value[:items]]
        more = len(value) - len(kept)
        return [*kept, f"… {more:,} more"] if more else kept
    if isinstance(value, bytes):
        return f"… {len(value):,} bytes"
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


def _are_plain(mapping: Mapping[str, object]) -> bool:
    """Whether nothing in an object is to be cut: short names, and a number under each."""
    names = "".join(mapping)
    short = names.isascii() and max(map(len, mapping)) <= _NAME
    return short and are_numbers(mapping.values())


def _key(key: str) -> str:
    short = len(key) <= _NAME and key.isascii()
    return key if short else str(_cut(key, 0, _NAME, _Leading({})))


def _number(value: float | None) -> float | None:
    """Return a number with the digits that can matter here; what is not finite is None."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.7g}")
