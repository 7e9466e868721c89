"""The gallery however long it is: what is drawn is what is in sight.

Elements are counted, never time, which tests/bench/gallery.py measures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browser import until
from gallery_run import make_large_run

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
SIZES = (300, 3000)

# Counts the elements that scripts make.
COUNTING = """
globalThis.made = 0;
for (const name of ["createElement", "createElementNS"]) {
  const make = document[name];
  document[name] = function (...given) { made += 1; return make.apply(this, given); };
}
"""

# Scrolls by so many pixels in each of 40 frames; returns the most elements made and cards there.
SCROLL = """
async (step) => {
  const most = { made: 0, cards: 0 };
  for (let frame = 0; frame < 40; frame++) {
    const before = made;
    scrollBy({ top: step, behavior: "instant" });
    // The page draws in the next frame, and asked for it before this does, or in the one after.
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    most.made = Math.max(most.made, made - before);
    most.cards = Math.max(most.cards, document.querySelectorAll(".card").length);
  }
  return { ...most, at: scrollY };
}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    return {size: make_large_run(tmp_path_factory.mktemp(str(size)), size) for size in SIZES}


def elements(page: Page) -> Any:
    """How many elements the grid has, and how many cards."""
    return page.evaluate(
        "[grid.querySelectorAll('*').length, grid.querySelectorAll('.card').length]"
    )


def test_the_first_draw_makes_what_is_in_sight_and_no_more(
    open_page: Open, runs: dict[int, Path]
) -> None:
    few, many = (open_page(runs[size], before=COUNTING) for size in SIZES)
    assert elements(few)[1] == elements(many)[1] < 100
    # Some cards have a number more than others.
    assert many.evaluate("made") == pytest.approx(few.evaluate("made"), rel=0.05)
    # It is there when the page is, without a frame or a timer in between.
    assert many.evaluate("performance.getEntriesByName('pellucid-drawn').length") == 1


@pytest.mark.parametrize("step", [60, 150, 400, 2000, 20_000])
def test_no_frame_of_scrolling_makes_more_than_a_screen(
    open_page: Open, runs: dict[int, Path], step: int
) -> None:
    """As a wheel, flicks, and two ways of pulling the scroll bar."""
    page = open_page(runs[3000], before=COUNTING)
    screen, cards = elements(page)
    seen = page.evaluate(SCROLL, step)
    end = page.evaluate("document.documentElement.scrollHeight - innerHeight")
    assert seen["at"] == pytest.approx(min(40 * step, end), abs=2)
    # At the top there is nothing above, where two more rows are drawn, nor a row that is cut off.
    assert 0 < seen["made"] <= 2 * screen
    assert seen["cards"] <= 2 * cards


def test_where_scrolling_ends_the_pictures_are_loaded(
    open_page: Open, runs: dict[int, Path]
) -> None:
    page = open_page(runs[3000], before=COUNTING)
    page.evaluate(SCROLL, 3000)
    pictures = "document.querySelectorAll('.card img')"
    until(page, f"[...{pictures}].every((it) => it.src && it.complete && it.naturalWidth)")
    assert page.evaluate(f"{pictures}.length") > 0


def test_a_search_and_a_sort_are_shown_before_their_event_is_over(
    open_page: Open, runs: dict[int, Path]
) -> None:
    page = open_page(runs[3000], before=COUNTING)
    all_elements = page.evaluate("document.querySelectorAll('*').length")
    act = """([id, value, event]) => {
        const field = document.getElementById(id);
        const before = made;
        field.value = value;
        field.dispatchEvent(new Event(event, { bubbles: true }));
        const first = grid.querySelector(".card .line bdi[title]");
        return [made - before, first.title, counts.textContent];
    }"""
    for id_, value, event, name, counts in (
        ("search", "0123", "input", "holiday/2019/IMG_00123.jpg", "11 of 3,000 shown"),
        ("search", "", "input", "holiday/2019/IMG_00000.jpg", "2,969 explained"),
        ("sort", "error", "change", "", ""),
        ("sort", "input", "change", "holiday/2019/IMG_00000.jpg", ""),
    ):
        made, first, said = page.evaluate(act, [id_, value, event])
        assert name in first and said.startswith(counts)
        assert made <= all_elements
