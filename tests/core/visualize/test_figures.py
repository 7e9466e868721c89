"""What can be seen of an instance: one file for each thing, labels and methods side by side."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from drawn import explanations, label, of_a_picture
from PIL import Image

from pellucid.api.compare import settings_of
from pellucid.errors import SpecError
from pellucid.metadata.documents import parse_visualization
from pellucid.metadata.parameters import CallSettings, Lime, SampledShapley
from pellucid.metadata.spec import (
    Dialect,
    InputSpec,
    Modality,
    OverlayType,
    Polarity,
    Visualization,
    VisualizationType,
)
from pellucid.visualize.animation import sweep
from pellucid.visualize.figures import View, files, shown
from pellucid.visualize.image_overlays import draw_explanation, marked
from pellucid.visualize.overlay import draw
from pellucid.visualize.readable import chosen

RAMP = np.arange(80.0).reshape(8, 10) - 20


def opened(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def names(sets: list[Any], **view: Any) -> list[str]:
    return [file.name for file in files(sets, 0, "a", View(**view))]


def test_each_kind_of_feature_has_its_file() -> None:
    assert names([of_a_picture(RAMP)]) == ["a.overlay.png"]
    assert names([of_a_picture(RAMP)], panel=True, form="jpeg") == ["a.panel.jpg"]
    words = np.array([b"x", b"y"], object)
    text = InputSpec(name="t", modality=Modality.TEXT)
    column = InputSpec(name="c")
    one = explanations([column], {"c": 1.0}, [label({"c": 1.0})])
    assert names([one]) == ["a.chart.png"]
    one = explanations([text], {"t": words}, [label({"t": [1.0, 2.0]})])
    assert names([one]) == ["a.text.png", "a.text.html"]
    both = explanations(
        [text, column], {"t": words, "c": 1.0}, [label({"t": [1.0, 2.0], "c": 1.0})]
    )
    expected = ["a.t.text.png", "a.t.text.html", "a.columns.chart.png"]
    assert names([both]) == expected
    assert names([both], labels=2) == [n.replace("text.png", "labels.png").replace(
        "text.html", "labels.html").replace("chart", "labels") for n in expected]  # fmt: skip


def test_a_feature_s_name_cannot_lead_out_of_the_folder() -> None:
    two = explanations(
        [InputSpec(name="../../t", modality=Modality.TEXT), InputSpec(name="c")],
        {"../../t": np.array([b"x", b"y"], object), "c": 1.0},
        [label({"../../t": [1.0, 2.0], "c": 1.0})],
    )
    assert names([two])[0] == "a..._.._t.text.png"


def test_labels_stand_in_rows_of_five() -> None:
    seven = of_a_picture(RAMP, names=tuple("abcdefg"))
    (file,) = files([seven], 0, "a", View(labels=7))
    five = next(files([seven], 0, "a", View(labels=5)))
    height, width, _ = opened(file.data).shape
    assert width == opened(five.data).shape[1] and height > 1.8 * opened(five.data).shape[0]
    assert len(shown([seven], 0, View(labels=99))) == 7


def test_methods_stand_side_by_side_after_the_original() -> None:
    one = of_a_picture(RAMP, overlay_type=OverlayType.NONE)
    other = of_a_picture(-RAMP, overlay_type=OverlayType.NONE, method=SampledShapley())
    (file,) = files([one, other], 0, "a", View())
    grid, drawing = opened(file.data), one.draw(0)["image"]
    assert file.name == "a.compare.png"
    big = drawing.image  # 8×10, magnified 23 times
    corner = next(
        (y, x)
        for y in range(20, 120)
        for x in range(10, 30)
        if np.array_equal(grid[y : y + 60, x : x + 60], big[:60, :60])
    )
    y, x = corner
    assert np.array_equal(grid[y : y + 184, x : x + 230], big)
    for k, each in enumerate((one, other), 1):
        overlay = each.draw(0)["image"].overlay
        left = x + k * 246
        assert np.array_equal(grid[y : y + 184, left : left + 230], overlay)


def test_nothing_to_show_is_said() -> None:
    (file,) = files([of_a_picture(np.zeros((8, 10)))], 0, "a", View())
    assert file.note == "nothing to show: the attribution is 0 everywhere"
    (file,) = files([of_a_picture(-np.ones((8, 10)))], 0, "a", View())
    assert file.note == "nothing to show: no attribution is positive"
    (file,) = files([of_a_picture(np.ones((8, 10)), polarity=Polarity.NEGATIVE)], 0, "a", View())
    assert file.note == "nothing to show: no attribution is negative"
    plain = opened(file.data)
    assert np.array_equal(plain, of_a_picture(RAMP).draw(0)["image"].image)
    empty, full = (
        next(files([of_a_picture(np.full((8, 10), v))], 0, "a", View(panel=True)))
        for v in (0.0, 1.0)
    )
    assert opened(empty.data).shape[0] > opened(full.data).shape[0]  # one more line says it
    assert full.note is None


# Sweeps


@pytest.mark.parametrize("above, highest", [(99.9, 95.0), (100.0, 95.0), (80.0, 76.0)])
def test_a_sweep_shows_less_and_less(above: float, highest: float) -> None:
    v = {"type": VisualizationType.PIXELS, "overlay_type": OverlayType.NONE}
    drawing = of_a_picture(RAMP, clip_above_percentile=above, **v).draw(0)["image"]
    frames = sweep(drawing, 6)
    assert [level for level, _ in frames] == pytest.approx(np.linspace(0, highest, 6), abs=0.05)
    visible = [int(each.overlay.any(2).sum()) for _, each in frames]
    assert visible[0] == 23**2 * (RAMP > 0).sum() and visible == sorted(visible, reverse=True)
    assert 0 < visible[-1] < visible[0]


def test_an_animation_has_all_frames_and_repeats() -> None:
    rising = of_a_picture(RAMP - RAMP.min(), type=VisualizationType.PIXELS)
    (file,) = files([rising], 0, "a", View(frames=7, animated=True))
    with Image.open(io.BytesIO(file.data)) as gif:
        assert file.name == "a.overlay.gif" and gif.format == "GIF"
        assert gif.n_frames == 7 and gif.info["loop"] == 0  # type: ignore[attr-defined]
        assert gif.size == (460, 368)  # small pictures are magnified
    many = list(files([of_a_picture(RAMP)], 0, "a", View(frames=11, panel=True)))
    assert [f.name for f in many][::5] == ["a.panel.00.png", "a.panel.05.png", "a.panel.10.png"]


# LIME


def patched(weights: list[float], **settings: Any) -> tuple[Any, Any, Lime]:
    """A drawing of four patches, two columns each, with these weights."""
    segments = np.repeat(np.arange(4), 2)[None, :].repeat(6, 0)
    method = Lime(**settings)
    one = of_a_picture(np.array(weights)[segments], method=method)
    said = label({"image": np.array(weights)[segments]}, segments={"image": segments})
    image = np.full((6, 8, 3), 100, np.uint8)
    return one.draw(0)["image"], said, method, image  # type: ignore[return-value]


def test_patches_above_the_least_weight_are_red_and_the_rest_is_as_it_was() -> None:
    drawing, said, method, image = patched([0.5, 0.02, 0.005, -0.5])  # type: ignore[misc]
    got = marked(replace(drawing, image=image), said, "image", method).overlay
    assert (got[:, :4] == [round(0.4 * 100 + 0.6 * 255), 40, 40]).all()
    assert (got[:, 4:] == 100).all()
    method = replace(method, positive_only=False)
    got = marked(replace(drawing, image=image), said, "image", method).overlay
    assert (got[:, :4] == [40, 193, 40]).all() and (got[:, 6:] == [193, 40, 40]).all()
    assert (got[:, 4:6] == 100).all()
    green = Visualization(overlay_type=OverlayType.NONE)
    got = marked(replace(drawing, image=image), said, "image", method, green).overlay
    assert not got[:, 4:6].any()


# Methods by name


def test_methods_have_short_names() -> None:
    found = settings_of("ig, smoothgrad,shapley", CallSettings(steps=9, noisy_samples=5))
    assert found == [
        CallSettings(method="integrated-gradients", steps=9),
        CallSettings(method="integrated-gradients", noisy_samples=5, steps=9),
        CallSettings(method="sampled-shapley", steps=9),
    ]
    assert settings_of("ig", CallSettings(noisy_samples=5)) == [
        CallSettings(method="integrated-gradients", noisy_samples=5)
    ]
    with pytest.raises(SpecError, match=r"'xray' is not a method; did you mean 'xrai'\?"):
        settings_of("ig,xray", CallSettings())
    with pytest.raises(SpecError, match="no method is named"):
        settings_of(" ,", CallSettings())


# Settings that nobody wrote


@pytest.mark.parametrize("kind", VisualizationType)
@pytest.mark.parametrize("seed", range(4))
def test_what_nobody_wrote_highlights_5_to_20_percent(kind: VisualizationType, seed: int) -> None:
    """Noise with a few bright spots, as attributions are."""
    rng = np.random.default_rng(seed)
    plane = rng.standard_normal((120, 160)) ** 3
    y, x = rng.integers(10, 110), rng.integers(10, 150)
    plane[y - 10 : y + 10, x - 10 : x + 10] += 3
    resolved = Visualization(type=kind).resolved(Dialect.AI_PLATFORM, regions=False)
    settings = resolved.updated(chosen(plane, resolved))
    black = np.zeros((*plane.shape, 3), np.uint8)
    drawn = draw(plane, black, replace(settings, overlay_type=OverlayType.NONE)).any(2)
    assert 0.05 <= drawn.mean() <= 0.2


def test_what_was_chosen_is_said_and_gives_the_same_picture_again() -> None:
    rng = np.random.default_rng(0)
    one = of_a_picture(rng.standard_normal((64, 64)))
    drawing = one.draw(0)["image"]
    assert drawing.said is not None
    pairs = (word.split("=") for word in drawing.said.split())
    written = parse_visualization({key: float(value) for key, value in pairs})
    again = one.draw(0, visualization=written)["image"]
    assert again.said is None and np.array_equal(again.overlay, drawing.overlay)


def test_a_setting_that_somebody_wrote_is_followed_to_the_letter() -> None:
    drawing = of_a_picture(RAMP, clip_below_percentile=62.0).draw(0)["image"]
    assert drawing.said is None and drawing.visualization.clip_below_percentile == 62.0
    assert drawing.visualization.blur_sigma == 0


def test_what_is_smaller_than_twice_its_error_fades() -> None:
    """It steps back to the picture; what is known stays as it was drawn."""
    values = np.ones((8, 10))
    spec = InputSpec(name="image", modality=Modality.IMAGE)
    image = np.random.default_rng(3).uniform(0, 1, (8, 10, 3)).astype(np.float32)
    errors = np.where(np.arange(10) < 5, 0.6, 0.4) * np.ones((8, 1))
    one = label({"image": values}, errors={"image": errors})
    made = explanations([spec], {"image": image}, [one])
    plain, faded = (
        draw_explanation(made, 0, own_size=False, errors=asked)["image"] for asked in (False, True)
    )
    np.testing.assert_array_equal(plain.overlay[:, 5:], faded.overlay[:, 5:])
    expected = 0.2 * plain.overlay[:, :5] + 0.8 * plain.image[:, :5]
    assert np.abs(faded.overlay[:, :5] - expected).max() <= 1
    assert np.abs(plain.overlay[:, :5].astype(int) - faded.overlay[:, :5]).max() > 20
    assert faded.panel().shape[0] > plain.panel().shape[0]  # which says so in a line
    (file,) = files([made], 0, "a", View(errors=True))
    (other,) = files([made], 0, "a", View())
    assert (opened(file.data) != opened(other.data)).any()


def test_charts_say_what_their_whiskers_are() -> None:
    column = InputSpec(name="c")
    one = explanations(
        [column], {"c": 1.0}, [label({"c": 1.0}, errors={"c": np.array(0.25)})],
        method=SampledShapley(),
    )  # fmt: skip
    (chart,) = shown([one], 0, View())
    assert [part.error for part in chart.parts()] == [0.25]
    assert chart._whiskers(chart.parts()) == ["whiskers: standard error"]
