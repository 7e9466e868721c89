"""The page of an evaluation in a browser: seen, used by keyboard, on a telephone, without a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from judged_pages import EVIL, made

from browser import resize, until
from pellucid.evaluate import page_of
from seen import faint_texts

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
MANY = tuple(f"candidate {i}" for i in range(11))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for kind in ("picture", "table", "text"):
        (folder / f"{kind}.html").write_bytes(page_of(made(kind=kind)))
    (folder / "many.html").write_bytes(page_of(made(own=MANY, shown=1)))
    for i, text in enumerate(EVIL):
        (folder / f"evil {i}.html").write_bytes(page_of(made(text=text)))
    long = "sample/" * 12 + "a_name_without_any_place_to_break_it" * 6
    (folder / "long.html").write_bytes(page_of(made(text=long)))
    (folder / "long table.html").write_bytes(page_of(made(text=long, kind="table")))
    return folder


@pytest.mark.parametrize("kind", ["picture", "table", "text", "many"])
def test_every_text_has_a_contrast_of_4_5(open_page: Open, pages: Path, kind: str) -> None:
    page = open_page(pages / f"{kind}.html")
    page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert faint_texts(page) == {}, scheme
    if kind == "picture":
        page.locator("button.tile").first.click()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert faint_texts(page) == {}, scheme


@pytest.mark.parametrize("kind", ["picture", "table", "text", "many", "long", "long table"])
def test_nothing_needs_scrolling_sideways_but_tables_in_their_frames(
    open_page: Open, pages: Path, kind: str
) -> None:
    page = open_page(pages / f"{kind}.html", width=320, height=800)
    for width in (320, 390, 820, 1280):
        resize(page, width, 800)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        if kind not in ("picture", "many", "long"):
            continue
        page.locator("button.tile").last.click()
        for name in ("#close", "#previous", "#large-picture"):
            box, place = page.locator(name).bounding_box(), (width, name)
            assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width, place
            assert box["y"] + box["height"] <= 800 and box["height"] > 0, place
        page.locator("#close").click()


@pytest.mark.parametrize("number", range(len(EVIL)))
def test_no_name_does_anything(open_page: Open, pages: Path, number: int) -> None:
    page = open_page(pages / f"evil {number}.html", before="window.alert = () => { throw 'ran' }")
    page.locator("button.tile").nth(1).click()
    assert page.locator("#large").is_visible()


def test_pictures_are_large_by_keyboard_alone(open_page: Open, pages: Path) -> None:
    page = open_page(pages / "picture.html")
    focus = "document.activeElement"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(f"{focus}.classList.contains('tile')"):
            break
        assert page.evaluate(f"getComputedStyle({focus}).outlineWidth") == "2px"
    assert page.evaluate(f"{focus}.innerText") == "the picture"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#large-picture').naturalWidth === 160")
    assert page.inner_text("#large-name") == "ig" and "insertion 0." in page.inner_text(
        "#large-number"
    )
    assert page.inner_text("#large-place") == "x 0 · 2 of 4"
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#large-name") == "random"  # xrai failed on this one
    source = page.get_attribute("#large-picture", "src")
    page.keyboard.press("o")
    assert page.inner_text("#large-name") == "the picture"
    page.keyboard.press("o")
    assert page.get_attribute("#large-picture", "src") == source
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.inner_text("#large-place") == "x 0 · 4 of 4"
    assert page.locator("#next").is_disabled()
    page.keyboard.press("Escape")
    assert not page.locator("#large").is_visible()
    until(page, f"{focus}.innerText.startsWith('edges')")


def test_lines_are_set_off_by_keyboard_and_again_not(open_page: Open, pages: Path) -> None:
    page = open_page(pages / "picture.html")
    opacity = "(it) => getComputedStyle(it).opacity"
    other = page.locator("g.line[data-candidate='1']").first
    grey = page.locator("g.line[data-candidate='2'] .band").first
    assert other.evaluate(opacity) == "1" and grey.evaluate(opacity) == "0"
    button = page.get_by_role("button", name="random", exact=True)
    button.focus()
    assert float(grey.evaluate(opacity)) > 0
    page.keyboard.press("Space")
    assert button.get_attribute("aria-pressed") == "true"
    assert float(other.evaluate(opacity)) < 0.2
    page.keyboard.press("Space")
    assert other.evaluate(opacity) == "1"


def test_names_of_lines_lie_on_no_other_name(open_page: Open, pages: Path) -> None:
    for kind in ("picture", "table", "many", "long"):
        page = open_page(pages / f"{kind}.html")
        for svg in page.locator("figure svg").all():
            frame = svg.bounding_box()
            boxes = [it.bounding_box() for it in svg.locator(".name").all()]
            assert boxes and frame
            for i, a in enumerate(boxes):
                assert frame["x"] <= a["x"] and a["x"] + a["width"] <= frame["x"] + frame["width"]
                for b in boxes[:i]:
                    apart = (
                        a["x"] + a["width"] <= b["x"] or b["x"] + b["width"] <= a["x"]
                        or a["y"] + a["height"] <= b["y"] + 4 or b["y"] + b["height"] <= a["y"] + 4
                    )  # fmt: skip
                    assert apart, (kind, a, b)


def test_what_can_be_used_has_a_name(open_page: Open, pages: Path) -> None:
    page = open_page(pages / "picture.html")
    assert page.get_by_role("region", name="Candidates by metrics").count() == 1
    assert page.get_by_role("button", name="Colours: as the system").count() == 1
    for chart in page.locator("figure svg").all():
        assert "Areas: ig 0." in str(chart.get_attribute("aria-label"))
    for one in page.locator("button:visible").all():
        named = one.get_attribute("aria-label") or one.inner_text()
        assert named.strip(), one.evaluate("it => it.outerHTML")
    page.get_by_role("link", name="insertion", exact=True).click()
    assert page.evaluate("document.querySelector(':target').innerText").lower() == "insertion"


def test_without_a_script_all_can_be_read(open_page: Open, pages: Path) -> None:
    page = open_page(pages / "picture.html", java_script_enabled=False)
    for text in ("What follows", "Curves", "Where candidates disagree most", "It rises."):
        assert page.get_by_text(text, exact=True).first.is_visible()


def test_colours_are_those_that_were_chosen(open_page: Open, pages: Path) -> None:
    page = open_page(pages / "picture.html", color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("#theme")
    assert page.evaluate(ground) == light
    page.click("#theme")
    assert page.evaluate(ground) != light
