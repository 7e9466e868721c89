"""Explanations as programs and notebooks show them: tables, cells, charts, a line of text."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import pellucid
from pellucid.errors import DependencyError, SpecError
from pellucid.runtime.engine.tensorflow import tf
from places import SAMPLES

if TYPE_CHECKING:
    from playwright.sync_api import Page


def quiet(message: object) -> None:
    pass


def instances(name: str) -> Any:
    return json.loads((SAMPLES / name / "instances.json").read_text())["instances"]


@pytest.fixture(scope="module")
def table() -> pellucid.Explanations:
    return pellucid.load(SAMPLES / "diabetes/model", warn=quiet).explain(instances("diabetes"))


@pytest.fixture(scope="module")
def wine() -> pellucid.Explanations:
    model = pellucid.load(SAMPLES / "wine/model", warn=quiet)
    return model.explain(instances("wine"), top_k=3)


@pytest.fixture(scope="module")
def digits() -> pellucid.Explanations:
    model = pellucid.load(SAMPLES / "digits/model", warn=quiet)
    return model.explain(instances("digits"), top_k=2, steps=5)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> pellucid.LoadedModel:
    """How much a text shouts, and how much it does not: by its exclamation marks and length."""

    def serve(text: Any) -> Any:
        loud = tf.cast(tf.strings.length(tf.strings.regex_replace(text, "[^!]", "")), tf.float32)
        long = tf.cast(tf.strings.length(text), tf.float32) / 100
        return {"mood": tf.stack([loud - long, long - loud], axis=1)}

    spec = tf.TensorSpec([None], tf.string, "text")
    path = tmp_path_factory.mktemp("words")
    traced = tf.function(serve).get_concrete_function(text=spec)
    tf.saved_model.save(tf.Module(), str(path), signatures=traced)
    return pellucid.load(
        path, method="sampled-shapley", class_names="loud <b>,calm", warn=quiet, players="words"
    )


# tables


def test_a_tidy_table_adds_up_to_the_scores(wine: pellucid.Explanations) -> None:
    frame = wine.to_pandas()
    first = ["instance", "id", "label", "feature", "value", "attribution", "error"]
    assert list(frame.columns[:7]) == first
    assert len(frame) == sum(len(it.features) for each in wine for it in each.labels)
    sums = frame.groupby(["instance", "label"])["attribution"].sum()
    for number, explanation in enumerate(wine):
        for label in explanation.labels:
            change = label.score - label.baseline_score
            assert sums[number, label.name] == pytest.approx(change, abs=0.02)
    assert frame["error"].isna().all()
    assert frame["attribution"].dtype == np.float64
    assert frame["instance"].dtype == np.int64
    row = frame[(frame.instance == 0) & (frame.feature == "ash")].iloc[0]
    assert row["value"] == pytest.approx(instances("wine")[0]["ash"])


def test_values_are_what_they_are_and_labels_have_a_name(
    table: pellucid.Explanations, digits: pellucid.Explanations, words: pellucid.LoadedModel
) -> None:
    frame = table.to_pandas()
    assert set(frame["label"]) == {"progression"}
    assert frame["value"].dtype == np.float64
    np.testing.assert_allclose(frame["value"][:10], instances("diabetes")[0], rtol=1e-6)
    assert list(frame["feature"][:3]) == ["age", "sex", "bmi"]
    text = words.explain(["hey! ho, hey"]).to_pandas()
    assert list(text["value"]) == ["hey", "ho", "hey"]
    assert list(text["error"]) == [0.0, 0.0, 0.0]  # of three words, all coalitions were asked
    assert list(text["feature"]) == ["text[0]", "text[1]", "text[2]"]
    assert set(text["label"]) == {"loud <b>"}
    pixels = digits.to_pandas()
    assert len(pixels) == len(digits) * 2 * 28 * 28
    assert list(pixels["feature"][:2]) == ["image[0,0]", "image[0,1]"]


def test_the_id_of_a_row_is_in_the_table(words: pellucid.LoadedModel) -> None:
    frame = words.explain(pd.Series(["a b!", "b"], index=["x", "y"])).to_pandas()
    assert list(frame["id"]) == ["x", "x", "y"]


def test_nearest_examples_are_a_table_too(tmp_path: Path) -> None:
    model = pellucid.load(SAMPLES / "diabetes/model", warn=quiet)
    model.index(instances("diabetes"), tmp_path / "i.npz")
    near = model.explain(
        instances("diabetes")[:2], method="examples", index=str(tmp_path / "i.npz")
    )
    frame = near.to_pandas()
    assert list(frame.columns) == ["instance", "id", "example", "distance"]
    # Itself, but for float32: a model may answer to many rows in other last bits than to two.
    assert list(frame[frame.distance < 1e-9 * frame.distance.max()]["example"]) == ["0", "1"]
    assert "nearest examples" in near._repr_html_()
    assert near._repr_png_() is None
    with pytest.raises(SpecError, match="no attributions"):
        near.plot()


def test_what_is_not_there_is_said_with_what_to_type(
    table: pellucid.Explanations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(DependencyError, match=r"pandas; pip install pandas$"):
        table.to_pandas()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DependencyError, match=r"matplotlib; pip install matplotlib$"):
        table.plot()


# lines of text


def test_every_record_is_short_to_print(
    digits: pellucid.Explanations, table: pellucid.Explanations, words: pellucid.LoadedModel
) -> None:
    things: list[Any] = [words]
    for found in (digits, table, words.explain(["shout! " * 200])):
        explanation = found[0]
        things += [found, explanation, found.instances[0], found.draw(0)]
        things += [explanation.labels[0], explanation.inputs, explanation.given, explanation.words]
        things += [explanation.labels[0].features, explanation.labels[0].values]
        things += [explanation.by_output]
    for thing in things:
        assert len(repr(thing)) < 700, repr(thing)
        assert repr(thing).count("\n") < 10, repr(thing)


def test_a_line_says_what_matters(
    table: pellucid.Explanations, wine: pellucid.Explanations
) -> None:
    label = table[0].labels[0]
    assert repr(table).startswith("Explanations(4 instances by integrated gradients, 50 steps: ")
    assert re.match(r"LabelAttribution\('progression', score=\d+\.\d+, ", repr(label))
    assert "'age': " in repr(label.features)
    assert label.features == dict(label.features)
    assert json.loads(json.dumps(sorted(label.features)))
    assert repr(wine[0]).count("cultivar") == 3


# cells


def cell(explanations: pellucid.Explanations) -> str:
    html = explanations._repr_html_()
    assert html is not None
    assert "src=" not in html.replace('src="data:image/', "")
    assert "<script" not in html
    assert "http" not in html
    return html


def test_a_cell_has_what_there_is_to_see(
    table: pellucid.Explanations, digits: pellucid.Explanations, words: pellucid.LoadedModel
) -> None:
    chart = cell(table)
    assert chart.count("progression: ") == len(table)
    assert "bmi = 22.6" in chart
    overlay = cell(digits)
    assert overlay.count("<img") >= len(digits)
    label = digits[0].labels[0]
    assert f"{label.score:.3f}" in overlay
    text = cell(words.explain(["be quiet <i> now!"]))
    assert "loud &lt;b&gt;" in text
    assert re.sub("<[^>]*>", "", text).endswith("be quiet &lt;i&gt; now!")


def test_names_from_elsewhere_are_shown_and_not_obeyed(words: pellucid.LoadedModel) -> None:
    evil = "<script>alert(1)</script> \x1b[31m \u202e !"
    html = cell(words.explain(pd.Series([evil], index=["<img onerror=x>\u202e"])))
    assert "<img onerror" not in html
    assert "\x1b" not in html
    assert "\\u202e" in html  # in the id; in a text it turns no more than its own paragraph
    assert html.count("\u202e") == 1


def test_a_long_cell_is_cut_and_says_so(words: pellucid.LoadedModel) -> None:
    html = cell(words.explain(["shout!"] * 57, top_k=2))
    assert html.count("loud &lt;b&gt;: ") == 10
    assert "47 more instances" in html
    few = cell(words.explain(["shout!"] * 10))
    assert "more instances" not in few
    long = cell(words.explain(["shout! " * 4000], paths=1))
    assert len(long) < 1_000_000
    assert "more words" in long


def test_a_cell_of_photos_is_small_enough_for_a_notebook(samples: Path) -> None:
    from pellucid.inputs import read_image

    model = pellucid.load(samples / "photos/model", warn=quiet)
    photo = read_image(samples / "photos/images/cat.jpg", model.inputs)
    html = cell(model.explain([photo] * 10, steps=2, top_k=1))
    assert html.count("<img") == 20
    assert len(html) < 1_500_000


def test_a_picture_of_the_first_instance(
    table: pellucid.Explanations, digits: pellucid.Explanations, words: pellucid.LoadedModel
) -> None:
    for found in (table, digits, words.explain(["shout!"])):
        data = found._repr_png_()
        assert data is not None
        picture = Image.open(io.BytesIO(data))
        assert picture.format == "PNG"
        assert min(picture.size) > 100
        assert max(picture.size) < 1600
    (drawing,) = digits.draw(0).values()
    assert Image.open(io.BytesIO(drawing._repr_png_())).format == "PNG"


def test_none_is_shown_of_no_instances(table: pellucid.Explanations) -> None:
    none = pellucid.Explanations((), (), table.metadata, table.parameters)
    assert repr(none) == "Explanations(0 instances by integrated gradients, 50 steps)"
    assert "0 instances" in cell(none)
    assert none._repr_png_() is None
    assert list(none.to_pandas().columns[:2]) == ["instance", "id"]


# charts


@pytest.fixture
def axis() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot.subplots()[1]
    pyplot.close("all")


def test_bars_on_an_axis_are_the_attributions(table: pellucid.Explanations, axis: Any) -> None:
    assert table.plot(axis, instance=1) is axis
    label = table[1].labels[0]
    widths = sorted(bar.get_width() for bar in axis.patches)
    values = sorted(float(value.item()) for value in label.features.values())
    np.testing.assert_allclose(widths, values)
    assert axis.get_title().startswith("progression: ")
    names = [it.get_text() for it in axis.get_yticklabels()]
    largest = max(label.features, key=lambda name: abs(label.features[name].item()))
    assert names[0].startswith(f"{largest} = ")
    assert axis.yaxis_inverted()  # the largest is on top
    assert not axis.collections  # nothing is known of their errors


def test_bars_have_the_errors_that_are_known(axis: Any) -> None:
    model = pellucid.load(SAMPLES / "wine/model", warn=quiet)
    found = model.explain(instances("wine")[:1], method="sampled-shapley", paths=2)
    found.plot(axis)
    (whiskers,) = axis.containers[-1].errorbar.lines[2]
    label = found[0].labels[0]
    ends = {
        round(float(segment[1][0] - segment[0][0]) / 2, 9) for segment in whiskers.get_segments()
    }
    errors = {round(float(it.item()), 9) for name, it in label.errors.items() if it.size == 1}
    assert errors <= ends
    assert " ± " in found._repr_html_()


def test_pictures_and_words_on_an_axis(
    digits: pellucid.Explanations, words: pellucid.LoadedModel, axis: Any
) -> None:
    digits.plot(axis, label=1)
    (image,) = axis.images
    label = digits[0].labels[1]
    np.testing.assert_array_equal(image.get_array(), digits.draw(0, label)["image"].overlay)
    assert f"{label.score:.3f}" in axis.get_title()
    own = words.explain(["be quiet", "shout !"]).plot(instance=1, label="loud <b>")
    assert own is not axis
    assert len(own.images) == 1


def test_what_is_not_there_to_plot_is_said(table: pellucid.Explanations, axis: Any) -> None:
    with pytest.raises(SpecError, match=r"^instance: there are 4 instances, 0 to 3, got 4$"):
        table.plot(axis, instance=4)
    with pytest.raises(SpecError, match=r"^label: .*'progression'.*got 2"):
        table.plot(axis, label=2)
    with pytest.raises(SpecError, match=r"label: 'progresion'.*did you mean 'progression'"):
        table.plot(axis, label="progresion")


# a bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_in_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = pellucid.load(SAMPLES / "diabetes/model", warn=quiet)
    many = np.full((600, 10), 50.0)

    def shown(stream: io.StringIO, given: Any = many, **options: Any) -> str:
        monkeypatch.setattr(sys, "stderr", stream)
        model.explain(given, **options)
        return stream.getvalue()

    bar = shown(Terminal())
    assert "explaining" in bar
    assert "600/600" in bar
    assert shown(Terminal(), progress=False) == ""
    assert shown(Terminal(), many[:3]) == ""  # there is nothing to watch in one step
    assert "3/3" in shown(Terminal(), many[:3], progress=True)
    assert shown(io.StringIO()) == ""
    quiet_one = pellucid.load(SAMPLES / "diabetes/model", warn=quiet, progress=False)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    quiet_one.explain(many)
    assert terminal.getvalue() == ""


def test_blocks_of_a_call_do_not_show_in_its_answers() -> None:
    model = pellucid.load(SAMPLES / "diabetes/model", warn=quiet)
    many = np.random.default_rng(0).normal(50, 5, (600, 10))
    found = model.explain(many)
    for row in (0, 127, 128, 511, 512, 599):
        (alone,) = model.explain(many[row : row + 1])
        for name, value in alone.labels[0].features.items():
            np.testing.assert_allclose(found[row].labels[0].features[name], value, rtol=1e-5)


# notebooks

SOURCE = """
import json, numpy as np, pandas as pd, pellucid
rows = json.load(open("diabetes/instances.json"))["instances"]
frame = pd.DataFrame(rows, columns="age sex bmi bp s1 s2 s3 s4 s5 s6".split())
model = pellucid.load("diabetes/model")
model
---
found = model.explain(frame)
found
---
found[0].labels[0].features
---
found.to_pandas().head(3)
---
many = model.explain(pd.concat([frame] * 400, ignore_index=True))
---
pellucid.load("digits/model").explain(json.load(open("digits/instances.json"))["instances"][:2])
---
found.plot(instance=1);
"""


def test_a_notebook_runs_and_shows_them(
    tmp_path: Path, open_page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONWARNINGS", "error::UserWarning")
    make = nbformat.v4
    cells = [make.new_code_cell(it.strip()) for it in SOURCE.split("---")]
    notebook = make.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(SAMPLES)}}).execute()
    for it in notebook.cells:
        said = [out.text for out in it.outputs if out.output_type == "stream"]
        assert said == [], said
        for out in it.outputs:
            assert len(out.get("data", {}).get("text/plain", "")) < 1000
    shown = [out.data for it in notebook.cells for out in it.outputs]
    assert "LoadedModel(" in shown[0]["text/plain"]
    assert "progression" in shown[1]["text/html"]
    assert shown[1]["image/png"]
    assert "'age'" in shown[2]["text/plain"]
    assert "<table" in shown[3]["text/html"]
    assert shown[4]["text/html"] == ""  # the bar has gone
    page = tmp_path / "cells.html"
    body = "\n<hr>\n".join(
        it["text/html"] for it in shown if "<table" not in it.get("text/html", "<table")
    )
    page.write_text(f"<!DOCTYPE html><meta charset=utf-8><title>cells</title><body>{body}")
    opened = open_page(page, width=900)
    if folder := os.environ.get("PELLUCID_LOOK"):
        opened.screenshot(path=f"{folder}/cells.png", full_page=True)
    assert opened.evaluate("document.documentElement.scrollWidth <= 900")
    for image in opened.query_selector_all("img"):
        assert image.evaluate("it => it.naturalWidth") > 0
