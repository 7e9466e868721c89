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
WINES = json.loads((SAMPLES / "wine" / "instances.json").read_text())["instances"]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    models = [f"{n}={SAMPLES / n / 'model'}" for n in ("photos", "digits", "wine")]
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
    page.locator("#instance").fill(json.dumps(WINES[0]))
    settled(page, lambda: page.get_by_role("button", name="Explain").click())
    model = pellucid.load(SAMPLES / "wine" / "model")
    features = model.explain([WINES[0]])[0].labels[0].features
    strongest = max(features, key=lambda name: abs(float(features[name].sum())))
    assert page.locator("#bars th").first.text_content() == strongest
    assert page.locator("#bars tr").count() == len(features)


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


def test_an_error_is_a_sentence(page: Page) -> None:
    from playwright.sync_api import expect

    page.locator("#model").select_option("wine")
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
        assert page.locator("#bars tr").count() > 5


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
    assert running.get("/").json == {"status": "alive"}
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
