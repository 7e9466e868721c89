"""The page at ``/``, in a real browser: a picture in, its explanation drawn, and drawn again."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from serving import Running, serving

import pellucid
from pellucid.metadata.spec import OverlayType, Polarity, Visualization
from pellucid.serve.auth import Guard
from pellucid.serve.limits import Limits
from pellucid.serve.server import ServerSettings
from places import SAMPLES
from series_models import bump_model, bump_rows

if TYPE_CHECKING:
    from playwright.sync_api import Page

OpenPage = Callable[..., "Page"]
CAT = SAMPLES / "photos" / "images" / "cat.jpg"
FIVE = SAMPLES / "digits" / "images" / "five.png"
MODELS = ("photos", "digits", "wine", "diabetes", "code_or_prose")
WINES = json.loads((SAMPLES / "wine" / "instances.json").read_text())["instances"]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    models = [f"{n}={SAMPLES / n / 'model'}" for n in MODELS]
    with serving(
        *models, settings=ServerSettings(poll=0, limits=Limits(pixels=2_000_000))
    ) as running:
        yield running


@pytest.fixture
def page(running: Running, open_page: OpenPage) -> Page:
    page = open_page(f"{running.url}/", expected=[r"status of 4\d\d"])
    page.locator("#model option").first.wait_for(state="attached")
    return page


def overlay(page: Page) -> Any:
    """The pixels of the overlay that is shown."""
    page.wait_for_selector("#result:not([aria-busy=true]) #overlay[src]")
    return pixels(page.get_attribute("#overlay", "src"))


def pixels(url: str | None) -> Any:
    assert url is not None
    data = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"), np.int64)


def settled(page: Page, act: Callable[[], object]) -> None:
    """Act, and wait for the answer that this asks for."""
    with page.expect_response("**/page/explain"):
        act()
    page.wait_for_selector("#result:not([aria-busy=true])")


def test_a_picture_is_explained_and_drawn_anew(page: Page) -> None:
    settled(page, lambda: page.set_input_files("#file", CAT))
    assert page.locator("#labels b").first.text_content() == "cat"
    # The very overlay that the library draws, with the settings of the metadata.
    model = pellucid.load(SAMPLES / "photos" / "model")
    explanations = model.explain(list(read(CAT, model)))
    expected = explanations.draw(0)["image"].overlay
    first = overlay(page)
    assert np.abs(first - expected).mean() < 1
    settled(page, lambda: page.get_by_text("Both").click())
    settled(page, lambda: page.locator("[name=overlay_type]").select_option("none"))
    drawn = Visualization(polarity=Polarity.BOTH, overlay_type=OverlayType.NONE)
    expected = explanations.draw(0, visualization=drawn)["image"].overlay
    assert np.abs(overlay(page) - expected).mean() < 1
    assert np.abs(overlay(page) - first).mean() > 5


def read(path: Any, model: Any) -> Any:
    from pellucid.inputs.readers import read_file

    return read_file(path, model.inputs)


def test_another_drawing_takes_no_gradients(page: Page, running: Running) -> None:
    from playwright.sync_api import expect

    settled(page, lambda: page.set_input_files("#file", FIVE))
    page.locator("#model").select_option("digits")
    page.wait_for_selector("#result:not([aria-busy=true])")

    def computed() -> bytes:
        text = running.get("/metrics").data
        return next(line for line in text.splitlines() if line.startswith(b"pellucid_instances_t"))

    overlay(page)
    expect(page.locator("#labels b").first).to_have_text("four")
    before = computed()
    shown = overlay(page)
    slider = page.locator("[name=clip_below_percentile]")
    settled(page, lambda: slider.fill("5"))
    weak = overlay(page)
    assert not np.array_equal(weak, shown) and computed() == before
    settled(page, lambda: page.locator("#labels span").nth(1).click())
    assert not np.array_equal(overlay(page), weak) and computed() == before
    assert (page.locator("#overlay").get_attribute("alt") or "").endswith("five in the picture")
    settled(page, lambda: page.locator("#effort").fill("20") or page.locator("#effort").blur())
    assert computed() != before


def test_methods_have_defaults_of_their_own(page: Page) -> None:
    page.locator("#model").select_option("digits")
    settled(page, lambda: page.set_input_files("#file", FIVE))
    assert page.locator("[name=type]:checked").get_attribute("value") == "pixels"
    settled(page, lambda: page.locator("#method").select_option("lime"))
    assert page.locator("#effort-name").text_content() == "Samples"
    assert "stability" in (page.locator("#caption").text_content() or "")


def test_a_table_is_shown_as_bars(page: Page) -> None:
    page.locator("#model").select_option("wine")
    assert page.locator("#image-input").is_hidden() and page.locator("#drawing").is_hidden()
    page.get_by_role("button", name="As JSON").click()
    page.locator("#instance").fill(json.dumps(WINES[0]))
    page.get_by_role("button", name="As a table").click()
    assert page.get_by_label("alcohol", exact=True).input_value() == str(WINES[0]["alcohol"])
    settled(page, lambda: page.get_by_role("button", name="Explain").click())
    model = pellucid.load(SAMPLES / "wine" / "model")
    features = model.explain([WINES[0]])[0].labels[0].features
    strongest = max(features, key=lambda name: abs(float(features[name].sum())))
    said = f"{strongest} = {WINES[0][strongest]}"
    assert page.locator("#bars tbody th").first.text_content() == said
    assert page.locator("#bars tbody tr").count() == len(features)


def test_a_table_starts_at_the_baseline(page: Page) -> None:
    page.locator("#model").select_option("wine")
    model = pellucid.load(SAMPLES / "wine" / "model")
    expected = {it.name: it.input_baselines[0].value for it in model.metadata.inputs}  # type: ignore[union-attr]
    page.get_by_role("button", name="As JSON").click()
    assert json.loads(page.locator("#instance").input_value()) == expected
    page.get_by_role("button", name="As a table").click()
    page.get_by_label("proline", exact=True).fill("1680.5")
    settled(page, lambda: page.get_by_role("button", name="Explain").click())
    explained = model.explain([{**expected, "proline": 1680.5}])[0].labels[0]
    strongest = page.locator("#bars tbody tr").first
    assert strongest.locator("th").text_content() == "proline = 1680.5"
    attribution = float(explained.features["proline"].sum())
    shown = (strongest.locator(".number").text_content() or "").replace("\N{MINUS SIGN}", "-")
    assert float(shown) == pytest.approx(attribution, rel=1e-3)
    page.get_by_label("hue", exact=True).fill("1")
    assert "press Explain" in (page.locator("#status").text_content() or "")


def test_named_elements_are_rows(page: Page) -> None:
    page.locator("#model").select_option("diabetes")
    page.get_by_label("bmi", exact=True).fill("31.5")
    settled(page, lambda: page.get_by_role("button", name="Explain").click())
    assert page.locator("#bars tbody th").first.text_content() == "bmi = 31.5"


def test_words_are_words(page: Page) -> None:
    page.locator("#model").select_option("code_or_prose")
    page.get_by_label("text", exact=True).fill("for x in rows:\n    return the sum")
    settled(page, lambda: page.get_by_role("button", name="Explain").click())
    assert page.locator("#texts .text").text_content() == "for x in rows:\n    return the sum"
    words = page.locator("#texts .text span").all_text_contents()
    assert words == ["for", "x", "in", "rows", ":", "return", "the", "sum"]
    assert {*page.locator("#bars tbody th").all_text_contents()} <= {*words}


def test_nothing_of_the_last_model_is_left(page: Page) -> None:
    settled(page, lambda: page.set_input_files("#file", CAT))
    assert "cat" in (page.locator("#result").text_content() or "")
    page.locator("#model").select_option("wine")
    assert page.locator("#result").inner_text() == "Nothing is explained yet."
    settled(page, lambda: page.get_by_role("button", name="Explain").click())
    page.locator("#model").select_option("diabetes")
    assert page.locator("#result").inner_text() == "Nothing is explained yet."
    page.locator("#model").select_option("wine")
    assert page.locator("#result").inner_text() == "Nothing is explained yet."


def test_what_is_computed_can_be_cancelled(page: Page) -> None:
    held: list[Any] = []
    page.route("**/page/explain", lambda route: held.append(route))
    page.locator("#model").select_option("wine")
    page.get_by_role("button", name="Explain").click()
    assert "50 steps" in page.locator("#working").inner_text()
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Cancel").click()
    assert page.locator("#status").text_content() == "Cancelled."
    assert page.locator("#working").is_hidden()
    page.unroute("**/page/explain")
    settled(page, lambda: page.get_by_role("button", name="Explain").click())
    assert page.locator("#bars tbody tr").count() > 5


def test_what_is_shown_can_be_saved(page: Page) -> None:
    page.locator("#model").select_option("digits")
    settled(page, lambda: page.set_input_files("#file", FIVE))
    shown = overlay(page)
    with page.expect_download() as found:
        page.get_by_role("button", name="Save picture").click()
    with Image.open(found.value.path()) as picture:
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB"), np.int64), shown)
    assert found.value.suggested_filename == "four.png"
    with page.expect_download() as found:
        page.get_by_role("button", name="Save JSON").click()
    document = json.loads(found.value.path().read_text())
    label = document["explanations"][0]["attributions_by_label"][0]
    assert label["label_index"] == 4 and found.value.suggested_filename == "explanation.json"


@pytest.mark.parametrize("name", ["wine", "code_or_prose"])
def test_tables_and_texts_are_saved_as_charts(running: Running, name: str) -> None:
    instances = json.loads((SAMPLES / name / "instances.json").read_text())["instances"]
    asked = {"model": name, "instance": instances[0]}
    answer = running.post("/page/save", asked).json
    with Image.open(io.BytesIO(base64.b64decode(answer["data"]))) as picture:
        assert picture.format == "PNG" and picture.width > 400
    assert running.post("/page/save", {**asked, "form": "gif"}).json["error"].startswith("form: ")


def test_a_link_has_the_settings_and_no_data(
    page: Page, running: Running, open_page: OpenPage
) -> None:
    settled(page, lambda: page.set_input_files("#file", CAT))
    settled(page, lambda: page.locator("#method").select_option("lime"))
    settled(page, lambda: page.locator("#effort").fill("60") or page.locator("#effort").blur())
    settled(page, lambda: page.get_by_text("Both").click())
    link = page.url
    assert len(link) < 400 and "model=photos&method=lime&samples=60&top_k=3" in link
    other = open_page(link)
    other.locator("#model option").first.wait_for(state="attached")
    assert other.locator("#method").input_value() == "lime"
    settled(other, lambda: other.set_input_files("#file", CAT))
    np.testing.assert_array_equal(overlay(other), overlay(page))
    assert other.locator("[name=polarity]:checked").get_attribute("value") == "both"


@pytest.mark.parametrize(
    "address, sentence",
    [
        ("model=gone", "the model 'gone', which is not served here"),
        ("model=wine&method=xrai", "the method 'xrai', which does not explain this model"),
    ],
)
def test_a_link_that_leads_nowhere(
    running: Running, open_page: OpenPage, address: str, sentence: str
) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{running.url}/#{address}")
    expect(page.get_by_role("alert")).to_contain_text(sentence)


def test_the_keyboard_is_enough(page: Page) -> None:
    page.locator("#model").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    settled(page, lambda: page.set_input_files("#file", CAT))
    page.locator("[name=polarity]:checked").focus()
    settled(page, lambda: page.keyboard.press("ArrowRight"))
    assert page.locator("[name=polarity]:checked").get_attribute("value") == "negative"
    page.locator("#labels input:checked").focus()
    settled(page, lambda: page.keyboard.press("ArrowRight"))
    assert page.evaluate("document.activeElement.name") == "label"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("model", ["photos", "wine", "code_or_prose"])
def test_every_control_is_reached_by_tab(
    running: Running, open_page: OpenPage, model: str, width: int
) -> None:
    page = open_page(f"{running.url}/#model={model}", width=width)
    page.locator("#model option").first.wait_for(state="attached")
    if model == "photos":
        settled(page, lambda: page.set_input_files("#file", CAT))
    else:
        settled(page, lambda: page.get_by_role("button", name="Explain").click())
    # Of radio buttons with one name, one is reached, and the others by arrows.
    there = page.evaluate(
        "[...document.querySelectorAll('button, input, select, textarea')]"
        ".filter((it) => it.checkVisibility() && (it.type !== 'radio' || it.checked))"
        ".map((it) => it.id || it.name)"
    )
    page.evaluate("document.activeElement.blur()")
    page.locator("header").click(position={"x": 2, "y": 2})
    reached = []
    for _ in there:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
    assert reached == there
    assert page.locator("#controls").evaluate(
        "(it, narrow) => Boolean(it.previousElementSibling) === narrow", width == 390
    )


def test_an_error_is_a_sentence(page: Page) -> None:
    from playwright.sync_api import expect

    page.locator("#model").select_option("wine")
    page.get_by_role("button", name="As JSON").click()
    page.locator("#instance").fill("{")
    page.get_by_role("button", name="Explain").click()
    assert "The instance is not JSON" in (page.get_by_role("alert").text_content() or "")
    page.locator("#instance").fill('{"alcohol": 1}')
    settled(page, lambda: page.get_by_role("button", name="Explain").click())
    assert "missing inputs" in (page.get_by_role("alert").text_content() or "")
    page.locator("#model").select_option("photos")
    page.set_input_files("#file", {"name": "x.png", "mimeType": "image/png", "buffer": b"no"})
    expect(page.get_by_role("alert")).to_contain_text("not a picture")


def test_a_token_is_asked_for_and_kept(open_page: OpenPage) -> None:
    settings = ServerSettings(poll=0, guard=Guard("secret"))
    with serving(f"wine={SAMPLES / 'wine' / 'model'}", settings=settings) as closed:
        page = open_page(f"{closed.url}/", expected=["status of 401"])
        page.locator("#token").fill("secret")
        page.locator("#token").blur()
        page.locator("#model option").first.wait_for(state="attached")
        assert page.locator("#token-field").is_hidden()
        settled(page, lambda: page.get_by_role("button", name="Explain").click())
        assert page.locator("#bars tbody tr").count() > 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_small_screen(running: Running, open_page: OpenPage, scheme: str) -> None:
    page = open_page(f"{running.url}/", width=390, height=844, color_scheme=scheme)
    settled(page, lambda: page.set_input_files("#file", CAT))
    assert page.evaluate("document.documentElement.scrollWidth") == 390


# What the page asks of its server


def test_people_get_the_page_and_clients_an_answer(running: Running) -> None:
    page = running.get("/", Accept="text/html,*/*")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert running.get("/").data == page.data
    assert running.get("/", Accept="*/*").json == {"status": "alive"}
    assert running.get("/page/page.py").status == 404
    assert running.get("/page/..%2fpage.py").status == 404


def written(form: str) -> str:
    """A picture in a format that is not read."""
    held = io.BytesIO()
    Image.new("RGB", (16, 16)).save(held, form)
    return base64.b64encode(held.getvalue()).decode()


@pytest.mark.parametrize(
    "body, sentence",
    [
        ([], "the request must be an object"),
        ({"model": "wnie"}, "there is no model 'wnie'; did you mean 'wine'?"),
        ({"model": 3}, "there is no model ''"),
        ({"model": "wine", "steps": "many"}, "steps: must be a whole number, 1 or more"),
        ({"model": "wine", "method": "magic"}, 'method: "magic" is none of'),
        ({"model": "wine", "method": "examples"}, 'method: "examples" is none of'),
        ({"model": "wine", "stesp": 3}, "unknown key 'stesp'; did you mean 'steps'?"),
        ({"model": "photos", "picture": "?"}, "the picture is not valid base64"),
        ({"model": "photos", "picture": "AAAA"}, "not a picture"),
        ({"model": "photos", "picture": written("DDS")}, "not a picture we read"),
        ({"model": "photos", "picture": written("EPS")}, "not a picture we read"),
        ({"model": "wine", "instance": WINES[0], "visualization": 3}, "must be an object"),
        ({"model": "wine", "instance": WINES[0], "label": -1}, "label: must be a whole number"),
        ({"model": "wine", "instance": WINES[0], "steps": 10**9}, "evaluations of the model"),
        ({"model": "wine", "instance": WINES[0], "method": "xrai"}, "image"),
    ],
)
def test_what_the_page_cannot_ask(running: Running, body: Any, sentence: str) -> None:
    answer = running.post("/page/explain", body)
    assert answer.status in (400, 404, 413) and sentence in answer.json["error"]


def test_a_huge_picture_is_refused(running: Running) -> None:
    held = io.BytesIO()
    Image.new("L", (3000, 3000)).save(held, "PNG")
    picture = base64.b64encode(held.getvalue()).decode()
    answer = running.post("/page/explain", {"model": "photos", "picture": picture})
    assert answer.status == 413


def test_a_large_picture_is_drawn_as_large_as_a_screen_shows_it(running: Running) -> None:
    held = io.BytesIO()
    Image.new("RGB", (1600, 1200), (90, 120, 60)).save(held, "JPEG")
    picture = base64.b64encode(held.getvalue()).decode()
    found = running.post("/page/explain", {"model": "photos", "picture": picture, "steps": 2}).json
    assert pixels(found["overlay"]).shape == (720, 960, 3)


def test_a_series_is_drawn_as_everywhere(tmp_path: Path, open_page: OpenPage) -> None:
    model = bump_model(tmp_path / "bump")
    x, seen = bump_rows(20, seed=3)
    row = x[int(np.flatnonzero(seen)[0])]
    with serving(f"bump={model}", settings=ServerSettings(poll=0)) as running:
        page = open_page(f"{running.url}/")
        page.locator("#model option").first.wait_for(state="attached")
        page.fill("#instance", json.dumps({"signal": row.tolist()}))
        settled(page, lambda: page.get_by_role("button", name="Explain").click())
        shown = overlay(page)
        assert page.locator("#original").is_hidden()
        wide = page.evaluate("overlay.getBoundingClientRect().width / found.clientWidth")
        assert wide > 0.9
    explanations = pellucid.load(model, warn=lambda it: None).explain([row], top_k=1)
    expected = explanations.draw(0)["signal"].overlay
    np.testing.assert_array_equal(shown, expected)
