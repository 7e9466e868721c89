"""The gallery's file: what is in it, whatever the names are, however many the entries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest

from pellucid.errors import OutputError
from pellucid.gallery.page import Entry, is_gallery, shortened, url, write_gallery
from pellucid.printable import printable
from policies import assert_policy

EVIL = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\" onerror='alert(1)' x=\"",
    "line\nbreak",
    "evil\u202egpj.exe",
    "caf\udce9.png",
    "half\ud83d",
    "{{script}} {{rows}}",
    "\u2028 & &amp;",
)


class Page(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.texts: dict[str, str] = {}
        self.meta: dict[str, str] = {}
        self._inside = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        found = dict(attrs)
        self._inside = found.get("id") or tag
        if tag == "meta":
            name = found.get("name") or found.get("http-equiv")
            self.meta[str(name)] = str(found.get("content"))

    def handle_data(self, data: str) -> None:
        self.texts[self._inside] = self.texts.get(self._inside, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    @property
    def entries(self) -> dict[str, Any]:
        return json.loads(self.texts["entries"])  # type: ignore[no-any-return]

    @property
    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.texts["rows"].splitlines()]


def test_an_entry_is_a_column_each_and_its_row_a_line(tmp_path: Path) -> None:
    entry = Entry(
        name="a/cat.jpg",
        overlay="overlays/a/cat.jpg.png",
        original="../in/a/cat.jpg",
        thumbnail=None,
        label="cat",
        score=0.123456789,
        approx_error=float("nan"),
        row={"prediction": [0.25, 0.75], "list": np.arange(3, dtype=np.float32)},
    )
    broken = Entry(name="b.jpg", row={"input": "b.jpg"}, error="b.jpg: is empty")
    path = write_gallery(tmp_path, [entry, broken], title="A & B")
    assert path == tmp_path / "index.html"
    page = Page(path)
    assert page.entries == {
        "first": 0,
        "names": ["a/cat.jpg", "b.jpg"],
        "overlays": ["overlays/a/cat.jpg.png", None],
        "originals": ["../in/a/cat.jpg", None],
        "thumbnails": [None, None],
        "labels": ["cat"],
        "label": [0, -1],
        "scores": [0.1234568, None],
        "approx": [None, None],
        "errors": {"1": "b.jpg: is empty"},
    }
    assert page.rows == [{"prediction": [0.25, 0.75], "list": [0, 1, 2]}, {"input": "b.jpg"}]
    assert page.texts["title"] == page.texts["h1"] == "A & B"
    assert page.meta["run"].split() == [
        "page=000001", "pages=000001", "entries=000000000002", "failed=000000000001",
    ]  # fmt: skip


@pytest.mark.parametrize("text", EVIL)
def test_no_text_becomes_markup(tmp_path: Path, text: str) -> None:
    plain = Page(write_gallery(tmp_path, [Entry(name="x")], title="x"))
    picture = text if "\ud83d" not in text else None  # what no file can be called
    entry = Entry(name=text, label=text, row={text: [text]}, error=text, overlay=picture)
    page = Page(write_gallery(tmp_path, [entry], title=text))
    assert page.elements == plain.elements
    assert page.texts["script"] == plain.texts["script"]
    assert page.meta["Content-Security-Policy"] == plain.meta["Content-Security-Policy"]
    assert page.entries["names"] == [printable(text)]


def test_the_policy_of_the_page_names_its_script_and_its_style(tmp_path: Path) -> None:
    assert_policy(write_gallery(tmp_path, [], title="x").read_text(encoding="utf-8"))


def test_text_is_shown_without_what_would_hide_or_turn_it() -> None:
    assert printable("a\nb\tc") == r"a\nb\tc"
    assert printable("evil\u202egpj") == r"evil\u202egpj"
    assert printable("caf\udce9") == r"caf\xe9"
    assert printable("half\ud83d") == r"half\ud83d"
    assert printable("日本 café 👩\u200d🔬") == "日本 café 👩\u200d🔬"


@pytest.mark.parametrize(
    "name", ["a#b?c%d.png", "a b&c+d.png", "ü/日本.png", "caf\udce9.png", "a\nb"]
)
def test_a_link_leads_to_the_bytes_of_the_name(name: str) -> None:
    link = url(name)
    assert link is not None and re.fullmatch(r"[\w./~%-]+", link, re.ASCII)
    assert unquote_to_bytes(link) == name.encode("utf-8", "surrogateescape")


def test_a_link_has_no_scheme() -> None:
    assert url("javascript:alert(1)") == "javascript%3Aalert%281%29"


def test_a_short_row_is_whole() -> None:
    row = {"a": [1.5, None, True], "b": {"c": "text"}}
    assert json.loads(shortened(row, 400)) == row


def test_a_long_row_keeps_the_beginning_of_its_lists_and_texts() -> None:
    row = {"values": list(range(1000)), "text": "x" * 5000, "image": {"b64_jpeg": "A" * 90}}
    found = json.loads(shortened(row, 1000))
    assert found["values"] == [*range(100), "… 900 more"]
    assert found["text"] == "x" * 300 + "… 5,000 letters"
    assert found["image"] == {"b64_jpeg": "… 90 letters"}
    assert len(shortened(row, 400)) <= 400


def test_of_many_columns_those_are_kept_that_count_most_for_the_first_label() -> None:
    names = [f"column {number}" for number in range(100)]
    counts = {name: [(-1) ** i * i / 100] for i, name in enumerate(names)}
    label = {"label_name": "yes", "attributions": counts}
    row = {
        "instance": {name: float(i) for i, name in enumerate(names)},
        "explanation": {"attributions_by_label": [label]},
    }
    found = json.loads(shortened(row, 400))
    assert len(shortened(row, 400)) <= 400
    most = ["column 99", "column 98", "column 97", "column 96"]
    assert found["instance"] == {**{it: float(it[7:]) for it in most}, "… 96 more": None}
    (shown,) = found["explanation"]["attributions_by_label"]
    assert shown["attributions"] == {**{it: counts[it] for it in most}, "… 96 more": None}
    assert json.loads(shortened(row, 1_000_000)) == row
    size = len(json.dumps(row))
    assert shortened(row, 400, size) == shortened(row, 400)


def test_a_row_that_stays_too_long_says_so() -> None:
    row = {f"feature {number}": {"value": float(number)} for number in range(5000)}
    assert json.loads(shortened(row, 400)) == {
        "…": "5000 keys, too long for this page; see the results"
    }


def entries(count: int, row: dict[str, object]) -> Iterator[Entry]:
    for number in range(count):
        name = f"holiday/2019/IMG_{number:07}.jpg"
        yield Entry(
            name=name,
            overlay=f"overlays/{name}.png",
            original=f"../photos/{name}",
            thumbnail=f"thumbnails/{name}.jpg",
            label=f"label {number % 100}",
            score=number / 7,
            approx_error=number / 1e6,
            row=row,
        )


def test_10_000_entries_are_one_page_of_less_than_10_megabytes(tmp_path: Path) -> None:
    row: dict[str, object] = {"instance": [0.123456] * 800, "prediction": [0.5] * 100}
    path = write_gallery(tmp_path, entries(10_000, row), title="x")
    assert [p.name for p in tmp_path.iterdir()] == ["index.html"]
    assert path.stat().st_size < 10e6
    page = Page(path)
    assert page.rows[0] == row  # the first rows are whole, …
    assert page.rows[-1]["prediction"][-1].startswith("… ")  # … and the last shortened


def test_more_entries_are_more_pages_each_of_which_knows_the_run(tmp_path: Path) -> None:
    (tmp_path / "index-7.html").write_text("mine")
    write_gallery(tmp_path, entries(20_001, {}), title="x")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "index-2.html", "index-3.html", "index-7.html", "index.html",
    ]  # fmt: skip
    last = Page(tmp_path / "index-3.html")
    assert last.entries["first"] == 20_000 and len(last.entries["names"]) == 1
    assert last.meta["run"].split()[:3] == ["page=000003", "pages=000003", "entries=000000020001"]
    assert Page(tmp_path / "index.html").meta["run"].split()[1] == "pages=000003"

    write_gallery(tmp_path, entries(2, {}), title="x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index-7.html", "index.html"]
    assert is_gallery(tmp_path / "index.html") and not is_gallery(tmp_path / "index-7.html")


def test_a_run_that_breaks_off_leaves_the_page_as_it_was(tmp_path: Path) -> None:
    before = write_gallery(tmp_path, entries(1, {}), title="x").read_bytes()

    def broken() -> Iterator[Entry]:
        yield from entries(10_001, {})
        raise OutputError("stop")

    with pytest.raises(OutputError, match="stop"):
        write_gallery(tmp_path, broken(), title="y")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [before]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / ".index.html.partial").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        write_gallery(tmp_path, [], title="x")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as refused:
        write_gallery(tmp_path / "gone", [], title="x")
    assert str(refused.value) == (
        f"{tmp_path}/gone/.index.html.partial: cannot be written: No such file or directory"
    )
