"""The picture of a series: what is green is what speaks for it, whatever its length and width."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.metadata import InputSpec, Modality
from pellucid.visualize import panel
from pellucid.visualize.colormaps import AGAINST, FOR
from pellucid.visualize.series import Series, series_of, series_picture
from pellucid.visualize.series import picture as module
from pellucid.visualize.series.lines import heat_colors, line_colors
from pellucid.visualize.series.picture import notes
from pellucid.visualize.series.time_axis import time_axis
from series_models import CHANNEL, TIME, bump_model, bump_rows

PLOT = module.PLOT
LEFT = module._LEFT


def series(steps: int, channels: int, **changes: Any) -> Series:
    draw = np.random.default_rng(0)
    found = {
        "feature": "signal",
        "names": tuple(f"c{i}" for i in range(channels)),
        "values": np.cumsum(draw.normal(size=(steps, channels)), axis=0),
        "attributions": draw.normal(size=(steps, channels)) / 100,
        "times": np.arange(steps, dtype=np.float64),
        **changes,
    }
    return Series(**found)


def picture(one: Series, **options: Any) -> np.ndarray:
    return np.asarray(series_picture(one, title="fault: 0.9", subtitle="a method", **options))


def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that is written on the pictures made from now on."""
    texts: list[str] = []
    plain = module.write

    def write(pen: Any, place: Any, text: str, *rest: Any, **options: Any) -> None:
        texts.append(text)
        plain(pen, place, text, *rest, **options)

    for writer in (module, panel):  # the heading is that of all pictures
        monkeypatch.setattr(writer, "write", write)
    return texts


@pytest.mark.parametrize("steps", [1, 2, 10, 200, 16_000])
@pytest.mark.parametrize("channels", [1, 3, 40, 100])
def test_the_picture_is_as_large_however_much_there_is(steps: int, channels: int) -> None:
    made = picture(series(steps, channels))
    assert made.dtype == np.uint8
    assert made.shape[1] == module._WIDTH
    assert made.shape[0] < 1500


def test_what_speaks_for_a_label_is_green_and_what_speaks_against_it_pink() -> None:
    weights = np.zeros((60, 1))
    weights[10], weights[40] = 1, -1
    made = picture(series(60, 1, attributions=weights)).astype(int)
    places = time_axis(np.arange(60.0), PLOT).places
    column = {step: made[:, LEFT + int(places[step])] for step in (10, 25, 40)}
    green = {step: (it[:, 1] - it[:, 0]).max() for step, it in column.items()}
    pink = {step: (it[:, 0] - it[:, 1]).max() for step, it in column.items()}
    assert green[10] > 50 > green[25] + green[40]
    assert pink[40] > 50 > pink[25] + pink[10]


def test_one_step_of_sixteen_thousand_is_seen() -> None:
    weights = np.full((16_000, 1), 1e-4)
    weights[12_345] = -1
    made = picture(series(16_000, 1, attributions=weights)).astype(int)
    pink = np.flatnonzero(((made[:, :, 0] - made[:, :, 1]) > 60).sum(axis=0) > 30)
    assert set(pink) == {LEFT + int(12_345.5 / 16_000 * PLOT)}


def test_colors_grow_from_white_and_from_gray() -> None:
    strength = np.linspace(-1, 1, 201)
    heat = heat_colors(strength).astype(int)
    assert heat[100].tolist() == [255, 255, 255]
    # No step of the scale jumps: the sum of the three colours falls on either side.
    assert (np.diff(heat.sum(axis=1))[100:] <= 2).all()
    assert (np.diff(heat.sum(axis=1))[:100] >= -2).all()
    line = line_colors(np.array([-1.0, 0.0, 1.0])).tolist()
    assert (tuple(line[0]), tuple(line[2])) == (AGAINST, FOR)


def test_totals_are_the_sums_and_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = written(monkeypatch)
    one = series(50, 3)
    picture(one)
    np.testing.assert_allclose(one.channel_totals, one.attributions.sum(axis=0), atol=1e-15)
    np.testing.assert_allclose(one.time_totals, one.attributions.sum(axis=1), atol=1e-15)
    for total in one.attributions.sum(axis=0):
        assert f"{total:+.3g}" in texts
    largest = one.attributions.sum(axis=1).max()
    assert f"{largest:+.3g}" in texts
    assert f"for, +{np.abs(one.attributions).max():.3g}" in texts


def test_missing_and_constant_channels_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = written(monkeypatch)
    values = series(30, 3).values
    values[5:9, 0], values[:, 1], values[:, 2] = np.nan, 4.5, np.nan
    made = picture(series(30, 3, values=values))
    assert made.shape[1] == module._WIDTH
    assert "no values" in texts
    assert "always 4.5" in texts
    assert "34 values are missing" in texts


def test_a_gap_has_no_line() -> None:
    values = np.ones((60, 1))
    values[20:40] = np.nan
    made = picture(series(60, 1, values=values, attributions=np.zeros((60, 1)))).astype(int)
    places = time_axis(np.arange(60.0), PLOT).places
    dark = [(made[120:200, LEFT + int(places[i])].sum(axis=1) < 600).sum() for i in (10, 30, 50)]
    assert dark[0] and not dark[1] and dark[2]


def test_what_is_left_out_is_said() -> None:
    one = series(2000, 60)
    lines, rows = module.most(one, 8), module.most(one, 40)
    said = notes(one, lines, rows, time_axis(one.times, PLOT))
    rest = [i for i in range(60) if i not in rows]
    total = one.attributions[:, rest].sum()
    assert said == [
        "2,000 steps in 640 columns of pixels: each shows the strongest of its steps",
        "lines: the 8 of 60 channels with the most attribution",
        f"heat map: 40 of 60 channels; the 20 others add up to {total:+.3g}",
    ]
    assert lines == sorted(np.argsort(-np.abs(one.attributions).sum(axis=0))[:8].tolist())


def test_what_is_shared_evenly_is_no_total(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = written(monkeypatch)
    by_window = np.repeat(np.array([[0.1], [0.3]]), 3, axis=1).repeat(10, axis=0)
    picture(series(20, 3, attributions=by_window))
    assert "the value of a step is that of all channels together, shared evenly" in texts
    assert not [text for text in texts if text in ("+2", "+4", "+1")], "no totals of channels"
    texts.clear()
    by_channel = np.repeat(np.array([[0.1, 0.3, -0.2]]), 20, axis=0)
    picture(series(20, 3, attributions=by_channel))
    assert "the value of a channel is that of all its steps together, shared evenly" in texts
    assert {"+2", "+6", "-4"} <= set(texts)
    assert "all channels" not in texts


def test_a_plain_picture_is_as_large_and_without_attributions() -> None:
    one = series(50, 12)
    whole, plain = picture(one), picture(one, plain=True)
    assert whole.shape == plain.shape
    heat = plain[-300:-130, LEFT : LEFT + PLOT].astype(int)
    assert (heat.max(axis=2) - heat.min(axis=2)).max() < 12


def test_times_are_an_axis_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = written(monkeypatch)
    days = 1.7e9 + 86400 * np.arange(30.0)
    picture(series(30, 2, times=days, axis="day", dates=True))
    assert "day" in texts
    assert "2023-11-14" in texts


def test_a_vector_whose_elements_have_names_is_no_series() -> None:
    from pellucid.explain import is_series

    spec = InputSpec(name="x", modality=Modality.SERIES)
    named = InputSpec(name="x", modality=Modality.SERIES, index_feature_mapping=("a", "b", "c"))
    assert is_series(spec, np.zeros(3)) and is_series(spec, np.zeros((4, 3)))
    assert is_series(named, np.zeros((4, 3))) and not is_series(named, np.zeros(3))
    assert not is_series(InputSpec(name="x"), np.zeros((4, 3)))
    assert not is_series(spec, np.zeros((4, 3, 3))) and not is_series(spec, np.zeros((0, 3)))


def test_the_cause_that_a_model_has_learned_is_where_the_picture_is_green(tmp_path: Path) -> None:
    x, seen = bump_rows(20, seed=3)
    model = pellucid.load(bump_model(tmp_path / "m"), warn=lambda it: None)
    explanations = model.explain([x[int(np.flatnonzero(seen)[0])]])
    drawing = explanations.draw(0)["signal"]
    label = explanations[0].labels[0]
    (found,) = series_of(explanations[0], label, explanations.metadata)
    assert found.channel_totals.argmax() == CHANNEL
    assert abs(found.time_totals.argmax() - TIME) <= 3
    gain = label.score - label.baseline_score
    assert found.channel_totals.sum() == pytest.approx(gain, abs=0.01)
    made = drawing.overlay.astype(int)
    green = (made[:, LEFT : LEFT + PLOT, 1] - made[:, LEFT : LEFT + PLOT, 0]).clip(0)
    center = np.average(np.arange(PLOT), weights=green.sum(axis=0))
    assert abs(center / PLOT * 60 - TIME) < 5
    assert re.match(r"output_0: (1\.000|0\.9)", drawing.title)
    # A response has the numbers, and no picture.
    answer = explanations.response()["explanations"][0]["attributions_by_label"][0]
    assert np.shape(answer["attributions"]["signal"]) == (60, 3)
