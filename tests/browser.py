"""A real browser for the tests of pages: Chromium, driven by Playwright, alone with the page.

A test opens pages with the fixture ``open_page`` and gets Playwright's ``Page``. The test fails if
the page logs an error or a warning, raises, or asks for anything outside its own origin or, from
disk, its own folder: pages of this project need no network.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
MISSING = (
    "no browser: pages are tested in chromium (apt-get install chromium) through playwright "
    "(pip install -e '.[dev]')"
)
PATIENCE = 120_000
"""Milliseconds after which what a page is to do is said never to happen; playwright has 5 s."""
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    # Whatever a page or the browser asks of the internet, there is none.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def executable() -> str | None:
    """The path of a Chromium on this machine."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """A headless Chromium with a fresh profile; gone, and its driver too, when the block ends.

    While it runs, this thread has a running event loop: ``asyncio.run`` has to wait.
    """
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Pages:
    """Opens pages, each in a context of its own, and notes what goes wrong on them."""

    browser: Browser
    problems: list[str] = field(default_factory=list)

    def open(
        self,
        address: str | Path,
        *,
        width: int = 1280,
        height: int = 800,
        home: Path | None = None,
        before: str | None = None,
        expected: Sequence[str] = (),
        **context: Any,
    ) -> Page:
        """Open a page by its path or URL, and return it when it is loaded.

        `before` is a script that runs before those of the page; `expected` are regular expressions
        of console messages that the test provokes; `home` is the folder that a page on disk may
        load from, by default its own; `context` goes to Playwright's ``new_context``:
        color_scheme="dark", has_touch=True, …
        """
        url = address.resolve().as_uri() if isinstance(address, Path) else address
        at_home = (home.resolve() / "any").as_uri() if home else url
        size: Any = {"width": width, "height": height}
        page = self.browser.new_context(viewport=size, **context).new_page()
        page.set_default_timeout(PATIENCE)
        if before is not None:
            page.add_init_script(before)

        def heard(message: ConsoleMessage) -> None:
            known = any(re.search(pattern, message.text) for pattern in expected)
            if message.type in ("error", "warning") and not known:
                place = message.location.get("url", "")
                self.problems.append(f"console {message.type}: {message.text} {place}".strip())

        def asked(request: Request) -> None:
            if not is_at_home(request.url, at_home):
                self.problems.append(f"a request leaves the page: {request.url}")

        page.on("console", heard)
        page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        page.on("request", asked)
        page.goto(url)
        return page

    def close(self) -> None:
        """Close all pages."""
        for context in self.browser.contexts:
            context.close()


def until(page: Page, expression: str, argument: Any = None) -> None:
    """Wait until an expression of the page, or of ``it``, the argument, is true.

    Playwright's ``wait_for_function`` evaluates text in the page, again and again, which the
    policies of our pages forbid from the second time on; and a loop inside the page, frame by
    frame, holds up what the browser has to do for it, such as to follow a change of the address.
    """
    for _ in range(PATIENCE // 20):
        if page.evaluate(f"(it) => Boolean({expression})", argument):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"{expression} never came true")


def resize(page: Page, width: int, height: int) -> None:
    """Give a page another size, and wait until it is laid out and what it does then is done."""
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def is_at_home(url: str, page: str) -> bool:
    """Whether `url` is of the page's own origin; for a page on disk, in its own folder."""
    asked, home = urlsplit(url), urlsplit(page)
    if asked.scheme in ("about", "blob", "data"):
        return True
    if (asked.scheme, asked.netloc) != (home.scheme, home.netloc):
        return False
    return home.scheme != "file" or asked.path.startswith(home.path.rpartition("/")[0] + "/")
