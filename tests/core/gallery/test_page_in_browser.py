"""The gallery in a browser: what people do with it, by pointer, touch and keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browser import until
from gallery_run import BROKEN, COUNT, LABELS, entries, make_run, name_of
from pellucid.gallery.page import Entry, write_gallery
from pellucid.printable import printable

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run #1 ü"))


def names(page: Page) -> list[str]:
    """The names on the cards, in order; all of this small run is drawn."""
    page.set_viewport_size({"width": 1280, "height": 4000})
    until(page, "document.querySelectorAll('.card').length > 0 || !empty.hidden")
    return page.locator(".card .line bdi[title]").evaluate_all(
        "all => all.filter(it => it.title.startsWith('in/')).map(it => it.title)"
    )  # type: ignore[no-any-return]


def at(url: Path, **view: Any) -> str:
    from urllib.parse import urlencode

    return f"{url.as_uri()}#{urlencode(view, doseq=True)}"


def press_label(page: Page, label: str, *keys: Any) -> None:
    page.locator("#labels").get_by_role("button", name=label).click(modifiers=[*keys])


def is_loaded(page: Page, selector: str) -> bool:
    until(
        page,
        "document.querySelector(it)?.complete && document.querySelector(it).naturalWidth",
        selector,
    )
    return True


def test_every_input_has_a_card_and_every_picture_is_found(open_page: Open, run: Path) -> None:
    page = open_page(run)
    assert names(page) == [printable(name_of(number)) for number in range(COUNT)]
    assert page.title() == page.inner_text("h1") == "Pets & <birds>"
    assert page.inner_text("#counts") == "37 explained · 3 failed"
    # Names with spaces, #, ?, %, newlines and bytes that are not UTF-8 are found, too.
    until(
        page,
        "[...document.querySelectorAll('.card img')].every(i => i.complete && i.naturalWidth == 96)",
    )
    assert page.locator(".card img").count() == COUNT - len(BROKEN)


def test_what_failed_is_shown_with_its_reason_and_can_be_chosen(open_page: Open, run: Path) -> None:
    page = open_page(run)
    press_label(page, "Failed")
    assert names(page) == [name_of(number) for number in BROKEN]
    assert page.inner_text("#counts").startswith("3 of 40 shown")
    assert page.locator(".card").first.inner_text().splitlines() == [
        "cannot be read as a picture: 0 bytes", "failed", "03.png",
    ]  # fmt: skip
    page.locator(".card").first.click()
    assert page.inner_text("#detail h2") == "Failed"
    assert page.inner_text("#reason") == "cannot be read as a picture: 0 bytes"


def test_labels_filter_alone_and_together_and_say_how_many(open_page: Open, run: Path) -> None:
    page = open_page(run)
    buttons = page.locator("#labels button").all_inner_texts()
    assert [text.split("\n") for text in buttons] == [
        ["All", "40"], ["Failed", "3"], ["cat", "10"], ["heron", "10"], ["dog", "9"],
        ["<b>bold</b>", "7"],
    ]  # fmt: skip
    cats = [printable(name_of(i)) for i in range(0, COUNT, 4)]
    press_label(page, "cat")
    assert names(page) == cats
    assert page.get_by_role("button", pressed=True).all_inner_texts() == ["cat\n10"]
    press_label(page, "<b>bold</b>", "Shift")
    bold = [name_of(i) for i in range(3, COUNT, 4) if i not in BROKEN and i != 7] + [
        "in/caf\\xe9.png"
    ]
    assert sorted(names(page)) == sorted(cats + bold)
    press_label(page, "All")
    assert len(names(page)) == COUNT


@pytest.mark.parametrize(
    "words, found",
    [
        ("00", ["in/00.png"]),
        ("CAT 1", ["in/12.png", "in/16.png"]),
        ("bold 0% ", []),
        ("50%", ["in/50% #1?.png"]),
        (r"\xe9", [r"in/caf\xe9.png"]),
        ("0 bytes", [name_of(number) for number in BROKEN]),
    ],
)
def test_a_search_is_for_words_in_names_labels_and_reasons(
    open_page: Open, run: Path, words: str, found: list[str]
) -> None:
    page = open_page(run)
    page.keyboard.press("/")
    page.keyboard.type(words)
    assert names(page) == found
    assert page.is_visible("#empty") == (not found)
    page.keyboard.press("Escape")
    assert len(names(page)) == COUNT and page.input_value("#search") == ""


def test_sorts_by_each_column_both_ways_and_what_has_no_number_comes_last(
    open_page: Open, run: Path
) -> None:
    good = {e.name: e for e in entries(run.parent) if e.error is None}
    failed = [name_of(number) for number in BROKEN]
    page = open_page(run)
    page.select_option("#sort", "score")
    up = sorted(good, key=lambda name: good[name].score or 0.0)
    assert names(page) == [printable(name) for name in up] + failed
    page.click("#direction")
    assert names(page) == [printable(name) for name in reversed(up)] + failed
    page.select_option("#sort", "error")  # the largest error first: that is what one looks for
    worst = sorted(good, key=lambda name: good[name].approx_error or 0.0, reverse=True)
    assert names(page)[: len(good)] == [printable(name) for name in worst]
    page.select_option("#sort", "name")
    assert names(page)[:4] == ["in/00.png", "in/01.png", "in/02.png", "in/03.png"]
    page.select_option("#sort", "input")
    page.click("#direction")
    assert names(page)[0] == name_of(COUNT - 1)


def test_the_large_view_has_both_pictures_the_numbers_and_the_json(
    open_page: Open, run: Path
) -> None:
    page = open_page(run)
    page.get_by_role("gridcell").nth(5).get_by_role("button").click()
    assert page.inner_text("#detail h2") == "dog"
    assert page.inner_text("#place") == "6 of 40"
    assert is_loaded(page, "#overlay") and is_loaded(page, "#original")
    assert page.locator("#numbers").inner_text().split("\n") == [
        "input", "in/50% #1?.png", "score", "0.875", "baseline", "0.125", "error", "0.075",
    ]  # fmt: skip
    assert page.locator("#others td").all_inner_texts() == ["dog", "0.875", "other", "0.438"]
    assert (
        page.locator("#files a").first.get_attribute("href")
        == "overlays/in/50%25%20%231%3F.png.png"
    )
    assert not page.is_visible("#row")
    page.click("summary")
    expected = next(e.row for e in list(entries(run.parent))[5:])
    assert json.loads(page.inner_text("#row")) == expected


def test_the_json_is_copied(open_page: Open, run: Path) -> None:
    page = open_page(at(run, input=1), permissions=["clipboard-read", "clipboard-write"])
    page.click("summary")
    page.click("#copy")
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.inner_text("#row")


def share(page: Page) -> float:
    """Which share of the picture is the original."""
    inset = page.locator("#overlay").evaluate("it => getComputedStyle(it).clipPath")
    found = re.search(r"([\d.]+)%\)$", inset)
    return float(found[1]) / 100 if found else 0.0


def test_the_slider_follows_the_pointer_and_the_keys(open_page: Open, run: Path) -> None:
    page = open_page(at(run, input=1))
    assert share(page) == 0.5
    box = page.locator("#frame").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, middle)
    assert share(page) == pytest.approx(0.8, abs=0.01)
    page.mouse.move(box["x"] - 400, middle)
    assert share(page) == 0
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    assert share(page) == 0
    slider = page.get_by_role("slider", name="From original to overlay")
    assert slider.evaluate("it => it === document.activeElement")
    page.keyboard.press("ArrowRight")
    assert share(page) == 0.01
    assert slider.get_attribute("aria-valuetext") == "1 % original, 99 % overlay"
    page.keyboard.press("End")
    assert share(page) == 1
    page.keyboard.press("o")
    assert share(page) == 0
    assert page.inner_text("#place") == "1 of 40"  # the arrows moved the slider, not the view


def test_the_slider_follows_a_finger(open_page: Open, run: Path) -> None:
    page = open_page(at(run, input=1), width=390, height=844, has_touch=True, is_mobile=True)
    box = page.locator("#frame").bounding_box()
    assert box is not None
    touch = page.context.new_cdp_session(page)
    middle = box["y"] + box["height"] / 2
    for kind, place in (("touchStart", 0.5), ("touchMove", 0.4), ("touchMove", 0.25)):
        point = {"x": box["x"] + box["width"] * place, "y": middle}
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    until(page, "Math.abs(document.getElementById('slider').value - 25) <= 1")
    assert share(page) == pytest.approx(0.25, abs=0.01)


def test_without_an_original_there_is_no_slider(open_page: Open, run: Path) -> None:
    page = open_page(at(run, input=11))
    assert is_loaded(page, "#overlay")
    assert not page.is_visible("#slider") and not page.is_visible("#original")


@pytest.mark.parametrize(
    "path, named", [("gone/50%.png", "gone/50%.png"), ("caf\udce9.png", "caf%E9.png")]
)
def test_a_picture_that_is_gone_is_named(
    open_page: Open, tmp_path: Path, path: str, named: str
) -> None:
    entry = Entry(name="x", original=path, row={})
    page = open_page(write_gallery(tmp_path, [entry], title="x"), expected=["ERR_FILE_NOT_FOUND"])
    page.locator(".card").click()
    page.wait_for_selector(f"text=or not there any more: {named}")


def test_the_keys_go_through_the_grid_and_the_large_view(open_page: Open, run: Path) -> None:
    page = open_page(run)
    across = int(page.get_attribute("#grid", "aria-colcount") or 0)
    focused = "document.activeElement.dataset.at"
    page.keyboard.press("ArrowDown")  # from anywhere, into the grid
    assert page.evaluate(focused) == "0"
    moves = {
        "ArrowRight": 1, "ArrowDown": 1 + across, "ArrowLeft": across, "ArrowUp": 0, "End": COUNT - 1,
        "Home": 0,
    }  # fmt: skip
    for key, place in moves.items():
        page.keyboard.press(key)
        assert page.evaluate(focused) == str(place), key
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.inner_text("#place") == "2 of 40"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#place") == "4 of 40"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    page.wait_for_selector("#detail", state="hidden")
    # Where one was last, not where one came from; the browser says that it is closed a bit later.
    until(page, f"{focused} === '2'")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")


def test_the_address_holds_the_view(open_page: Open, run: Path) -> None:
    page = open_page(run)
    press_label(page, "<b>bold</b>")
    page.select_option("#sort", "score")
    page.fill("#search", "3")
    seen = names(page)
    page.locator(".card").nth(1).click()
    assert seen and page.is_visible("#detail")
    other = open_page(page.url)
    assert other.is_visible("#detail") and other.inner_text("#place") == page.inner_text("#place")
    other.keyboard.press("Escape")
    assert names(other) == seen


def test_going_back_closes_the_large_view_and_keeps_the_grid(open_page: Open, run: Path) -> None:
    page = open_page(at(run, label=LABELS[0]))
    before = page.url
    page.locator(".card").first.click()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**input=5*")
    page.go_back()
    page.wait_for_selector("#detail", state="hidden")
    assert page.url == before
    page.go_forward()
    page.wait_for_selector("#detail", state="visible")
    page.click("#close")
    page.wait_for_url(before)


def test_an_address_that_means_nothing_shows_everything(open_page: Open, run: Path) -> None:
    page = open_page(run.as_uri() + "#sort=__proto__&label=nobody&input=99999&size=x&q=")
    assert len(names(page)) == COUNT and not page.is_visible("#detail")
    assert page.input_value("#sort") == "input"


def test_inputs_without_pictures_show_their_attributions(open_page: Open, tmp_path: Path) -> None:
    features = {"bmi": [2.0], "age": -4.0, "token": [1.0, 0.5], "text": "no number"}
    row = {"explanation": {"attributions": [{"featureAttributions": features}]}}
    path = write_gallery(tmp_path, [Entry(name="row 1", score=151.3, row=row)], title="x")
    page = open_page(path)
    chart = page.locator(".card .bars")
    assert chart.get_attribute("aria-label") == "Attributions: age −4.000, bmi 2.000, token 1.500"
    widths = chart.locator("i").evaluate_all("all => all.map(it => it.style.width)")
    assert widths == ["50%", "25%", "18.75%"]
    page.locator(".card").click()
    assert page.locator("#instead b").all_inner_texts() == ["−4.000", "2.000", "1.500"]
    strip = page.locator("#instead .strip")
    assert strip.get_attribute("aria-label") == "token, 2 elements, the largest 1.000 at 1"


def test_text_is_shown_as_it_was_given(open_page: Open, tmp_path: Path) -> None:
    text = "def f(x):\n    return <b>x</b>"
    row = {"instance": {"text": text}}
    entries = [Entry(name="t.jsonl:1", label="code", row=row), Entry(name=text, row=row)]
    page = open_page(write_gallery(tmp_path, entries, title="x"))
    assert page.locator(".card .words").all_text_contents() == [text] * 2
    page.locator(".card").first.click()
    assert page.locator("#instead .words").text_content() == text


def test_pages_of_a_larger_run_lead_to_each_other(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.gallery.page.PER_PAGE", 3)
    path = write_gallery(tmp_path, [Entry(name=f"{i}.png") for i in range(8)], title="x")
    page = open_page(path)
    assert page.locator("#pages").inner_text().startswith("Page 1 of 3: inputs 1 to 3.")
    assert page.inner_text("#counts") == "8 explained"
    assert page.locator("#pages a").all_inner_texts() == ["Next", "Last"]
    page.get_by_role("link", name="Last").click()
    page.wait_for_url("**/index-3.html")
    assert page.locator(".card bdi.label").all_inner_texts() == ["6.png", "7.png"]
    assert page.locator("#pages a").all_inner_texts() == ["First", "Previous"]


def test_an_empty_run_says_so(open_page: Open, tmp_path: Path) -> None:
    page = open_page(write_gallery(tmp_path, [], title="x"))
    assert page.inner_text("#counts") == "0 explained" and page.is_visible("#empty")


def test_the_colours_are_remembered(open_page: Open, run: Path) -> None:
    page = open_page(run, color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("#theme")
    assert page.evaluate(ground) == light
    page.click("#theme")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark
