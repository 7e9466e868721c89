"""The page of 10,000 inputs, measured by the browser itself: headless Chromium, on the processor.

What else the machine does can only add to a time, so that the best of a few tries counts: a page
that is too slow is so in all of them.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rows import ROOT, Row

sys.path.insert(1, str(ROOT / "tests"))

from browser import MISSING, Pages, executable, launched
from gallery_run import make_large_run

if TYPE_CHECKING:
    from playwright.sync_api import Page

COUNT = 10_000
STEPS = {60: "a wheel", 400: "flicks", 20_000: "the scroll bar"}

# Scrolls by so many pixels in each of 120 frames; returns the longest frame and the longest task.
SCROLL = """
async (step) => {
  const long = [0];
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
  return Math.max(...long, ...times.slice(1).map((time, i) => time - times[i]));
}
"""

# What somebody who types or chooses waits for.
ACT = """([id, value, event]) => {
  const field = document.getElementById(id);
  const start = performance.now();
  field.value = value;
  field.dispatchEvent(new Event(event, { bubbles: true }));
  document.body.offsetHeight;
  return performance.now() - start;
}"""


def first_pictures(page: Page) -> float:
    """Milliseconds until something is painted and the grid is there."""
    page.wait_for_function("performance.getEntriesByType('paint').length > 0")
    times: Any = page.evaluate(
        "['first-contentful-paint', 'pellucid-drawn']"
        ".map(name => performance.getEntriesByName(name)[0].startTime)"
    )
    return float(max(times))


def answers(page: Page) -> float:
    """Milliseconds that a letter more in the search, or another order, takes at most."""
    acts = [("search", words, "input") for words in ("0", "01", "012", "", "holiday", "")]
    acts += [("sort", column, "change") for column in ("score", "error", "input")]
    return max(float(page.evaluate(ACT, list(act))) for act in acts)


def gallery(turns: int) -> Iterator[Row]:
    """The promises of the page, in seconds on the clock."""
    path = executable()
    if path is None:
        yield Row(f"gallery of {COUNT:,}", "seconds", note=MISSING)
        return
    measures: dict[str, tuple[float, Any]] = {
        "first pictures": (1.0, first_pictures),
        "a search, a sort": (0.1, answers),
    }
    for step, how in STEPS.items():
        measures[f"longest frame, {how}"] = (
            *(0.05, lambda page, step=step: page.evaluate(SCROLL, step)),
        )
    with tempfile.TemporaryDirectory() as folder, launched(path) as browser:
        address = make_large_run(Path(folder), COUNT)
        for what, (bound, measure) in measures.items():
            times = []
            for _ in range(turns):
                pages = Pages(browser)
                times.append(measure(pages.open(address)) / 1000)
                pages.close()
            best = min(times)
            yield Row(f"gallery of {COUNT:,}, {what}", "seconds", None, best, bound)
