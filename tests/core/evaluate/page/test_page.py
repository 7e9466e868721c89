"""The page of an evaluation: what is in it, whatever things are called."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest
from judged_pages import EVIL, N, made
from PIL import Image

from pellucid.evaluate import page_of, write_report
from pellucid.evaluate.page.markup import Markup, joined, name_of, tag
from pellucid.printable import printable
from policies import assert_policy


class Page(HTMLParser):
    """Elements with their attributes, and all text outside of scripts and styles."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[dict[str, str | None]] = []
        self.text = ""
        self.scripts = ""
        self._inside = ""
        self.feed(page.decode("utf-8"))

    def handle_starttag(self, tag, attrs):
        self._inside = tag
        if tag != "wbr":
            self.elements.append((tag, tuple(name for name, _ in attrs)))
            self.attributes.append(dict(attrs))

    def handle_data(self, data):
        if self._inside in ("script", "style"):
            self.scripts += data
        else:
            self.text += data

    def handle_endtag(self, tag):
        self._inside = ""


def rows(page: bytes) -> dict[str, list[str]]:
    """The first table: the cells of each row by its head."""
    table = re.search(r'<table class="numbers">.*?</table>', page.decode(), re.DOTALL)[0]
    found = {}
    for row in re.findall("<tr>(.*?)</tr>", table):
        head, *cells = re.findall("<t[hd].*?>(.*?)</t[hd]>", row)
        found[re.sub("<.*?>", "", head)] = cells
    return found


@cache
def plain_page(kind: str) -> Page:
    return Page(page_of(made(kind=kind, text="plain")))


@pytest.mark.parametrize("kind", ["picture", "table", "text"])
@pytest.mark.parametrize("text", EVIL)
def test_no_text_becomes_markup(text: str, kind: str) -> None:
    plain = plain_page(kind)
    page = Page(page_of(made(kind=kind, text=text)))
    # Labels of lines stand where there is room for them: these are not compared.
    kept = [it for it in page.elements if it[0] != "text"]
    assert kept == [it for it in plain.elements if it[0] != "text"]
    assert page.scripts == plain.scripts
    said = printable(text)
    assert page.text.count(said) >= 12
    for attributes in page.attributes:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


def test_the_policy_names_script_and_style_and_nothing_is_fetched() -> None:
    text = page_of(made()).decode()
    assert_policy(text)
    assert "default-src 'none'; img-src data:;" in text
    assert set(re.findall(r'src="(.{5})', text)) == {"data:"}


def test_the_table_has_the_numbers_of_the_evaluation() -> None:
    found = made()
    table = rows(page_of(found))
    assert list(table)[1:] == ["ig", "xrai", "random", "edges"]  # the first row is the head
    for name, cells in list(table.items())[1:]:
        assert len(cells) == 2  # of ROAD there are none
        for metric, cell in zip(("deletion", "insertion"), cells, strict=True):
            mean = found.mean(metric, name)
            assert f"{mean.mean:.2f}" in cell and f"{mean.low:.2f} to {mean.high:.2f}" in cell
            assert ("<b" in cell) == (found.best(metric) == name)
    assert found.best("insertion") == "ig"
    assert f"n = {N - 1}" in table["xrai"][1] and "n = " not in table["ig"][1]


def test_what_is_not_sure_is_not_bold() -> None:
    found = made()
    same = dict.fromkeys(found.values["insertion"], found.values["insertion"]["ig"])
    page = page_of(replace(found, values={"insertion": same}))
    assert not [cell for cells in rows(page).values() for cell in cells if "<b" in cell]


def test_it_says_what_follows_and_what_each_metric_means_and_cannot() -> None:
    found = made()
    text = Page(page_of(found)).text
    for it in (*found.verdict, *found.notes, "It rises.", "Far.", "it is for pictures"):
        assert it in text
    assert "Filled in." not in text  # it was not taken, and that is said
    for fact in ("b33b", "0.1", "2.21", "7"):
        assert fact in text
    assert "xrai" in text and "failed: cannot be explained" in text


def test_curves_have_a_line_and_a_band_for_each_candidate() -> None:
    page = page_of(made()).decode()
    assert page.count("<figure>") == 2
    for number in range(4):
        assert page.count(f'data-candidate="{number}"><path') == 2
    (first, *_) = re.findall(r'class="mean"', page), None
    assert len(first) == 8 and page.count('class="band"') == 8
    assert "columns put into the baseline" in page_of(made(kind="table")).decode()


def test_the_ends_of_a_curve_stand_where_its_numbers_are() -> None:
    found = made(own=("ig",))
    flat = {"insertion": {"ig": np.full((N, 21), 0.5)}}
    page = page_of(replace(found, curves=flat)).decode()
    (path,) = re.findall(r'd="(M[^"Z]*)" class="mean"', page)
    heights = {float(it.split()[1]) for it in path[1:].split("L")}
    labels = {
        text: float(y) - 4 for y, text in re.findall(r'y="([\d.]+)" class="end">([\d.]+)<', page)
    }
    (height,) = heights
    assert height == pytest.approx((labels["0"] + 5 * labels["0.6"]) / 6, abs=0.2)


def test_charts_of_numbers_that_are_no_probabilities() -> None:
    """Scores of a regression, below zero and large, or all the same."""
    found = made(own=("ig",))
    for values in (np.full((N, 21), -3e6), np.zeros((N, 21)), np.full((N, 21), np.nan)):
        page = page_of(replace(found, curves={"insertion": {"ig": values}})).decode()
        assert not re.search(r'="[^"]*\b(nan|inf)\b', page)
        assert ('<svg viewBox="0 0 400' in page) == bool(np.isfinite(values).all())


def test_one_instance_and_no_curves() -> None:
    one = page_of(made(n=1, shown=1)).decode()
    assert "There is one instance" in one and "on 1 instance<" in one
    bare = replace(made(), curves={}, shown=())
    assert "<figure" not in page_of(bare).decode()


def test_pictures_are_in_the_page_and_alike() -> None:
    page = page_of(made())
    images = [
        Image.open(io.BytesIO(base64.b64decode(it)))
        for it in re.findall(rb"src=\"data:image/jpeg;base64,([^\"]+)", page)
    ]
    assert [it.size for it in images] == [(160, 140)] * (4 + 5)  # the first lacks who failed
    tiny = page_of(made(size=(28, 28)))
    assert b"image/png" in tiny and b'class="tiny"' in tiny
    large = page_of(made(size=(1100, 550), shown=1))
    (first, *_) = re.findall(rb"src=\"data:image/jpeg;base64,([^\"]+)", large)
    assert Image.open(io.BytesIO(base64.b64decode(first))).size == (512, 1024)


def test_markup_is_made_only_by_tags() -> None:
    assert tag("td", "a < b", tag("b", "c"), title='"') == (
        '<td title="&quot;">a &lt; b<b>c</b></td>'
    )
    assert joined(["<", [Markup("<i>"), "&"]]) == "&lt;<i>&amp;"
    assert name_of("a/<b>") == "<bdi>a/<wbr>&lt;b&gt;</bdi>"


@pytest.mark.parametrize("text", ["x", *EVIL])
def test_a_report_has_the_page_beside_its_numbers(tmp_path, text: str) -> None:
    found = made(shown=1, text=text)
    write_report(found, tmp_path)
    assert sorted(it.name for it in tmp_path.iterdir()) == [
        "curves.npz", "evaluation.json", "index.html", "maps.npz",
    ]  # fmt: skip
    assert (tmp_path / "index.html").read_bytes() == page_of(found)
    numbers = json.loads((tmp_path / "evaluation.json").read_bytes())
    with np.load(tmp_path / "curves.npz") as curves:
        for it in numbers["candidates"]:
            assert curves[f"insertion/{it['name']}"].shape == (N, 21)
