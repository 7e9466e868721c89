"""``pellucid gallery``: a folder that batch wrote becomes a page, and the page works."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def batch_of_digits(
    program: Any, digits: Path, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A run over the sample digits and one broken picture."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(samples / "digits" / "images", tmp_path / "in")
    (tmp_path / "in" / "broken.png").write_bytes(b"")
    assert program("batch", digits, "in", "-o", "out", "--steps", 4).code == 1
    return tmp_path / "out"


def test_a_run_becomes_a_page_that_shows_it(
    program: Any, batch_of_digits: Path, open_page: Callable[..., Page]
) -> None:
    run = program("gallery", "out", "--title", "Six digits")
    assert (run.code, run.out, run.err) == (0, b"out/index.html\n", "")
    page = open_page(batch_of_digits / "index.html", home=batch_of_digits.parent)
    assert page.inner_text("h1") == "Six digits"
    assert page.inner_text("#counts") == "6 explained · 1 failed"
    assert page.locator(".card").first.inner_text().splitlines()[0] == "eight"
    # The page's policy forbids what would wait inside of it.
    widths = "[...document.querySelectorAll('.card img')].map(i => i.naturalWidth)"
    for _ in range(600):
        if (found := page.evaluate(widths)) == [224] * 6:
            break
        page.wait_for_timeout(100)
    assert found == [224] * 6
    page.locator(".card").first.click()
    shown = "[overlay, original].map(i => i.naturalWidth)"
    for _ in range(600):
        if (found := page.evaluate(shown)) == [224, 28]:
            break
        page.wait_for_timeout(100)
    assert found == [224, 28]
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#place") == "1 of 7"


def test_a_page_is_written_anew_but_no_page_of_somebody_else(
    program: Any, batch_of_digits: Path
) -> None:
    assert program("gallery", "out").code == program("gallery", "out").code == 0
    page = batch_of_digits / "index.html"
    assert "<title>out</title>" in page.read_text(encoding="utf-8")
    page.write_text("mine")
    run = program("gallery", "out")
    assert (run.code, run.out) == (2, b"")
    assert (
        run.err == "error: out/index.html: exists and is no gallery; add --force to overwrite it\n"
    )
    assert page.read_text() == "mine"
    assert program("gallery", "out", "--force").code == 0


def test_a_folder_that_is_none_is_named(program: Any, tmp_path: Path) -> None:
    run = program("gallery", tmp_path / "nothing")
    assert run.code == 2
    assert run.err == (
        f"error: {tmp_path}/nothing: holds no explanation.results-… file; "
        "name a folder that batch wrote\n"
    )


def test_the_page_of_a_long_run_shows_how_far_it_is(
    program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "".join(f'{{"instance": [{number}]}}\n' for number in range(12))
    (tmp_path / "explanation.results-00000-of-00001").write_text(lines)
    told: list[int] = []

    @contextmanager
    def counted(doing: str, console: Any) -> Iterator[Callable[[], None]]:
        yield lambda: told.append(len(told))

    monkeypatch.setattr("pellucid_cli.output.progress.counted", counted)
    assert program("gallery", tmp_path).code == 0 and len(told) == 12
