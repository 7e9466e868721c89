"""The browser of the tests: it notes what a page must not do, so that its silence means something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser import Pages, is_at_home

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def pages(browser: Browser, tmp_path: Path) -> Pages:
    return Pages(browser)


def written(tmp_path: Path, body: str) -> Path:
    page = tmp_path / "a page #1?.html"
    page.write_text(f"<!doctype html><title>t</title>{body}", encoding="utf-8")
    return page


@pytest.mark.parametrize(
    "body, problem",
    [
        ("<script>console.error('no')</script>", "console error: no"),
        ("<script>console.warn('hm')</script>", "console warning: hm"),
        ("<script>throw new Error('ouch')</script>", "uncaught: ouch"),
        ("<img src='gone.png'>", "console error: Failed to load resource"),
        ("<img src='https://cdn.invalid/x.png'>", "a request leaves the page: https://cdn.invalid"),
        ("<img src='../x.png'>", "a request leaves the page: file:///"),
    ],
)
def test_notes_what_a_page_must_not_do(
    pages: Pages, tmp_path: Path, body: str, problem: str
) -> None:
    pages.open(written(tmp_path, body))
    pages.close()
    assert any(found.startswith(problem) for found in pages.problems), pages.problems


def test_a_page_of_its_own_folder_is_fine(open_page: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    dot = '<svg xmlns="http://www.w3.org/2000/svg" width="2" height="2"/>'
    (tmp_path / "in" / "x.svg").write_text(dot)
    body = "<img src='in/x.svg'><img src='data:image/svg+xml,%3Csvg/%3E'>"
    page = open_page(written(tmp_path, body), color_scheme="dark")
    assert page.evaluate("document.images[0].naturalWidth") == 2
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")


def test_what_a_test_provokes_is_not_held_against_the_page(
    open_page: Callable[..., Page], tmp_path: Path
) -> None:
    open_page(written(tmp_path, "<script>console.error('503 busy')</script>"), expected=["^503"])


@pytest.mark.parametrize(
    "url, page, at_home",
    [
        ("http://127.0.0.1:80/a", "http://127.0.0.1:80/", True),
        ("http://127.0.0.1:81/a", "http://127.0.0.1:80/", False),
        ("https://127.0.0.1:80/a", "http://127.0.0.1:80/", False),
        ("file:///a/b/c.png", "file:///a/b/index.html", True),
        ("file:///a/bc.png", "file:///a/b/index.html", False),
        ("data:,x", "file:///a/b/index.html", True),
    ],
)
def test_home_is_the_origin_or_the_folder(url: str, page: str, at_home: bool) -> None:
    assert is_at_home(url, page) is at_home
