"""The gallery for everybody: contrast, names, roles, focus, motion, narrow windows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browser import resize, until
from gallery_run import COUNT, make_large_run, make_run
from seen import contrast, faint_texts

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]


def test_the_measure_of_contrast_is_that_of_wcag() -> None:
    assert contrast([0, 0, 0, 255], [[255, 255, 255, 255]]) == pytest.approx(21)
    assert contrast([118, 118, 118, 255], [[0, 0, 0, 0], [255, 255, 255, 255]]) == pytest.approx(
        4.54, abs=0.005
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize(
    "view, keys",
    [("", ""), ("#sort=error&down=1", ""), ("#q=zzz", ""), ("#input=4", ""), ("#input=1", ""), ("", "?")],
)  # fmt: skip
def test_every_text_has_a_contrast_of_4_5(open_page: Open, run: Path, view: str, keys: str) -> None:
    page = open_page(run.as_uri() + view, reduced_motion="reduce")
    for key in keys:
        page.keyboard.press(key)
    if "input" in view:
        page.click("summary")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert not faint_texts(page), scheme


def test_what_can_be_used_has_a_name_and_a_place_in_the_page(open_page: Open, run: Path) -> None:
    page = open_page(run)
    for role, name in (
        ("heading", "Pets & <birds>"),
        ("search", None),
        ("searchbox", "Search names, labels and errors"),
        ("combobox", "Sort by"),
        ("button", "Ascending; turn around"),
        ("slider", "Size of the pictures"),
        ("button", "Colours: as the system"),
        ("button", "Keys and help"),
        ("navigation", "Filter by label"),
        ("main", None),
        ("grid", "Inputs"),
        ("status", None),
    ):
        where: Any = {"name": name, "exact": True} if name else {}
        assert page.get_by_role(role, **where).count() == 1, (role, name)  # type: ignore[arg-type]
    for kind in ("button", "input", "select"):
        for one in page.locator(f"{kind}:visible").all():
            named = one.get_attribute("aria-label") or one.inner_text()
            assert named.strip(), one.evaluate("it => it.outerHTML")


def test_the_grid_tells_readers_where_they_are(open_page: Open, tmp_path: Path) -> None:
    page = open_page(make_large_run(tmp_path, 1000))
    grid = page.get_by_role("grid")
    across = int(grid.get_attribute("aria-colcount") or 0)
    assert int(grid.get_attribute("aria-rowcount") or 0) == -(-1000 // across)
    assert page.locator(".card").count() < 100
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    until(page, "document.querySelectorAll('[role=row]')[3].ariaRowIndex > 50")
    rows = page.locator("[role=row]").evaluate_all(
        "all => all.map(row => [Number(row.ariaRowIndex), row.getBoundingClientRect().top])"
    )
    assert [row for row, _ in rows] == sorted(row for row, _ in rows)
    tops = dict(rows)
    numbers = sorted(tops)[1:]  # the first is the row of the focus, kept
    height = tops[numbers[1]] - tops[numbers[0]]
    assert all(tops[b] - tops[a] == pytest.approx(height, abs=1) for a, b in pairwise(numbers))
    # The last row ends where the page does: the height is that of all rows.
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.dataset.at") == "999"
    bottom = page.evaluate("document.activeElement.getBoundingClientRect().bottom")
    assert 0 < bottom <= page.evaluate("innerHeight")


def test_exactly_one_card_is_a_stop_of_the_tab_key(open_page: Open, run: Path) -> None:
    page = open_page(run)
    assert page.locator('.card[tabindex="0"]').count() == 1
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    assert page.locator('.card[tabindex="0"]').get_attribute("data-at") == str(COUNT - 1)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_selector('.card[data-at="0"]')
    # What has the focus stays, even where nobody sees it.
    assert page.evaluate("document.activeElement.dataset.at") == str(COUNT - 1)
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.at") == str(COUNT - 2)
    box = page.evaluate("document.activeElement.getBoundingClientRect().toJSON()")
    assert box["top"] >= 0 and box["bottom"] <= 800


def test_the_focus_is_seen_and_stays_in_the_large_view(open_page: Open, run: Path) -> None:
    page = open_page(run)
    page.keyboard.press("ArrowDown")
    outline = "getComputedStyle(document.activeElement.querySelector('.tile')).outlineWidth"
    assert page.evaluate(outline) == "3px"
    page.keyboard.press("Enter")
    # The large view opens by way of the address, a moment after the key; without it this times out.
    until(page, "document.activeElement.id === 'detail-label'")
    stops = []
    for _ in range(8):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert stops[-1] in ("BODY", "slider") or width == "2px", stops
    assert {"slider", "next", "close", "A", "SUMMARY"} <= set(stops)
    assert not page.evaluate("document.querySelector('.card:focus')")


def test_the_focus_stays_on_its_card_when_the_window_is_resized(open_page: Open, run: Path) -> None:
    page = open_page(run)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    at = page.evaluate("document.activeElement.dataset.at")
    page.evaluate("document.activeElement.id = 'before'")
    page.set_viewport_size({"width": 700, "height": 800})
    until(page, "!document.getElementById('before')")  # the grid has been laid out anew
    assert page.evaluate("document.activeElement.dataset.at") == at


def test_nothing_moves_for_those_who_want_no_motion(open_page: Open, run: Path) -> None:
    moving = """() => [...document.querySelectorAll("*")].filter((it) => {
        const style = getComputedStyle(it);
        return style.transitionDuration !== "0s" || style.animationName !== "none";
    }).length"""
    page = open_page(run.as_uri() + "#input=1", reduced_motion="reduce")
    assert page.evaluate(moving) == 0
    other = open_page(run.as_uri() + "#input=1", reduced_motion="no-preference")
    assert other.evaluate(moving) > 0


@pytest.mark.parametrize("view", ["", "#input=1"])
def test_no_width_needs_scrolling_sideways(open_page: Open, run: Path, view: str) -> None:
    page = open_page(run.as_uri() + view, width=320, height=700)
    for width in (320, 390, 820, 821, 1100, 1920):
        resize(page, width, 700)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        for name in ("#close", "#next", "#frame") if view else ("#search", "#theme", "#ask"):
            box, place = page.locator(name).bounding_box(), (width, name)
            assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width, place
