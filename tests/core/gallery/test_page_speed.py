"""The gallery with 10,000 inputs: what it must reach, measured by the browser itself.

Other tests are not timed. This one is, because the promise is in milliseconds: the first paint in
less than a second, and no frame of scrolling longer than 50 ms, in headless Chromium, which draws
on the processor. What else the machine does can only add to a time, so the best of a few tries is
what counts: a page that is too slow is so in all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gallery_run import make_large_run

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
COUNT = 10_000
TRIES = 12

# Scrolls by so many pixels in each of 120 frames; returns the longest frame and the longest task.
SCROLL = """
async (step) => {
  const long = [];
  const watch = new PerformanceObserver((list) => long.push(...list.getEntries().map((it) => it.duration)));
  watch.observe({ type: "longtask" });
  const times = [];
  await new Promise((done) => {
    const frame = (time) => {
      times.push(time);
      if (times.length > 120) return done();
      scrollBy({ top: step, behavior: "instant" });
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  await new Promise((done) => setTimeout(done, 100));
  watch.disconnect();
  const frames = times.slice(1).map((time, i) => time - times[i]);
  return { frame: Math.max(...frames), task: Math.max(0, ...long), at: scrollY };
}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_large_run(tmp_path_factory.mktemp("large"), COUNT)


def test_the_first_pictures_are_there_within_a_second(open_page: Open, run: Path) -> None:
    painted, drawn = [], []
    for _ in range(TRIES):
        page = open_page(run)
        page.wait_for_function("performance.getEntriesByType('paint').length > 0")
        painted.append(
            page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        )
        drawn.append(page.evaluate("performance.getEntriesByName('pellucid-drawn')[0].startTime"))
        page.wait_for_function(
            "[...document.querySelectorAll('.card img')].every(it => it.complete)"
        )
        page.context.close()
        if painted[-1] < 1000 and drawn[-1] < 1000:
            return
    pytest.fail(f"first paint after {painted} ms, the grid after {drawn} ms")


@pytest.mark.parametrize("step", [60, 150, 400, 2000, 20_000])
def test_no_frame_of_scrolling_takes_50_ms(open_page: Open, run: Path, step: int) -> None:
    """As a wheel, flicks, and two ways of pulling the scroll bar."""
    seen = []
    for _ in range(TRIES):
        page = open_page(run)
        seen.append(page.evaluate(SCROLL, step))
        at = page.evaluate("document.documentElement.scrollHeight - innerHeight")
        assert seen[-1]["at"] == pytest.approx(min(120 * step, at), abs=2)
        assert page.locator(".card").count() < 200
        page.context.close()
        if seen[-1]["frame"] < 50 and seen[-1]["task"] < 50:
            return
    pytest.fail(f"{step} pixels a frame: {seen}")


def test_where_scrolling_ends_the_pictures_are_loaded(open_page: Open, run: Path) -> None:
    page = open_page(run)
    page.evaluate(SCROLL, 3000)
    page.wait_for_function(
        "[...document.querySelectorAll('.card img')].every(it => it.src && it.complete && it.naturalWidth)"
    )


def test_a_search_and_a_sort_answer_at_once(open_page: Open, run: Path) -> None:
    """Within a tenth of a second, which is felt as at once."""
    page = open_page(run)
    timed = """([id, value, event]) => {
        const field = document.getElementById(id);
        const start = performance.now();
        field.value = value;
        field.dispatchEvent(new Event(event, { bubbles: true }));
        document.body.offsetHeight;
        return performance.now() - start;
    }"""
    for id_, values, event in (
        ("search", ["0", "01", "012", "", "holiday"], "input"),
        ("sort", ["score", "error", "input", "score"], "change"),
    ):
        times = [page.evaluate(timed, [id_, value, event]) for value in values]
        assert min(times) < 100, (id_, times)
