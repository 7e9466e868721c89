"""The gallery of a run whose truth is known: mistakes first, by their kinds, by truth, by label."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser import resize, until
from gallery_run import picture
from pellucid.gallery.page import Entry, write_gallery
from seen import faint_texts

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
READ = ("five", "four", "four", "six", "five", "four", "<i>nine</i>", "six")
TRUTH = ("five", "five", "four", "six", "six", "five", "five", None)


def entries(folder: Path) -> Iterator[Entry]:
    for number, (read, truth) in enumerate(zip(READ, TRUTH, strict=True)):
        name = f"{number}.png"
        picture(folder / f"overlays/{name}", number)
        yield Entry(
            name=f"in/{name}", overlay=f"overlays/{name}", label=read, score=number / 10,
            approx_error=0.2, row={"instance": name}, truth=truth, predicted=read,
        )  # fmt: skip
    yield Entry(name="in/bad.png", error="is empty")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truth")
    return write_gallery(folder, entries(folder), title="Digits")


def names(page: Page) -> list[str]:
    titles = page.locator(".card .line bdi[title]").evaluate_all("all => all.map(it => it.title)")
    return [it.removeprefix("in/") for it in titles]


def press(page: Page, name: str) -> None:
    page.locator("#labels").get_by_role("button", name=name).first.click()


def test_mistakes_come_first_and_can_be_chosen_by_kind_by_truth_and_by_label(
    open_page: Open, run: Path
) -> None:
    page = open_page(run, width=1280, height=2000)
    # The surest mistake first; then all others as they came.
    sure = ["6.png", "5.png", "4.png", "1.png"]
    assert names(page) == [*sure, "0.png", "2.png", "3.png", "7.png", "bad.png"]
    assert page.input_value("#sort") == "mistakes"
    assert page.inner_text("#counts") == "8 explained · 1 failed · 3 of 7 right"
    listed = page.locator("#labels").locator("button, h2").all_inner_texts()
    assert [text.replace("\n", " ") for text in listed] == [
        "All 9", "Failed 1", "Mistakes 4", "five read as four 2", "five read as <i>nine</i> 1",
        "six read as five 1", "Label", "four 3", "five 2", "six 2", "<i>nine</i> 1", "Truth",
        "five 4", "six 2", "four 1",
    ]  # fmt: skip
    assert page.locator(".card .mistake").first.inner_text() == "is five"
    press(page, "five read as four")
    assert names(page) == ["5.png", "1.png"]
    until(page, "location.hash.includes('pair')")
    page.reload()  # the address holds it
    until(page, "document.querySelectorAll('.card').length === 2")
    page.locator(".card").first.click()
    facts = page.inner_text("#numbers").split("\n")
    assert facts[facts.index("truth") + 1] == "five" and "read as" not in facts
    page.keyboard.press("Escape")
    press(page, "Mistakes")
    assert names(page) == sure
    press(page, "All")
    page.locator("#labels h2", has_text="Truth").locator("~ button", has_text="six").click()
    assert names(page) == ["4.png", "3.png"]
    press(page, "six 2")  # the label beside the truth: what is right
    assert names(page) == ["3.png"]
    page.select_option("#sort", "input")
    press(page, "All")
    assert names(page)[0] == "0.png"


def test_it_is_read_in_both_colours_and_on_a_phone(open_page: Open, run: Path) -> None:
    page = open_page(run, reduced_motion="reduce")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert not faint_texts(page), scheme
    for width in (320, 390, 820):
        resize(page, width, 700)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
