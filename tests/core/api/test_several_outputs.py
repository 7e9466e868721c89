"""Several outputs: AI Platform explains each of them, and predictions carry all of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import pellucid
from pellucid.api import unpack
from pellucid.batch.items import Item
from pellucid.batch.rendering import Wanted, render
from pellucid.errors import NotDifferentiableError, SpecError
from pellucid.linter import lint
from pellucid.metadata import Dialect
from pellucid.visualize import View, files

PRICE = np.array([[2.0], [-1.0], [0.5]], np.float32)
KINDS = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], np.float32)
ROW = [1.0, 2.0, 4.0]


class TwoTasks(tf.Module):  # type: ignore[misc]
    """A regression, a classification and a text, of one row."""

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "row")])  # type: ignore[untyped-decorator]
    def score(self, row: Any) -> dict[str, Any]:
        kinds = row @ KINDS
        text = tf.gather(["ant", "bee"], tf.argmax(kinds, axis=1))
        return {"price": row @ PRICE, "kinds": kinds, "text": text, "step": tf.round(row @ PRICE)}


OUTPUTS: dict[str, Any] = {
    "euros": {"output_tensor_name": "price"},
    "animal": {"output_tensor_name": "kinds", "index_name_mapping": ["crane", "crane"]},
}


def document(outputs: Mapping[str, Any] = OUTPUTS) -> dict[str, Any]:
    inputs = {"row": {"input_tensor_name": "row"}}
    return {"inputs": inputs, "outputs": outputs, "framework": "tensorflow"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two-tasks")
    module = TwoTasks()
    tf.saved_model.save(module, str(folder), signatures=module.score)
    (folder / "explanation_metadata.json").write_text(json.dumps(document()))
    return folder


def silent(message: object) -> None:
    """Hear nothing."""


@pytest.fixture(scope="module")
def model(directory: Path) -> pellucid.LoadedModel:
    return pellucid.load(directory, warn=silent, device="cpu")


def test_each_output_is_explained_and_told_apart_by_its_name(model: pellucid.LoadedModel) -> None:
    found = model.explain([ROW, ROW])
    body = json.loads(found.json())["explanations"][1]["attributions_by_label"]
    by_name = {it["output_name"]: it for it in body}
    assert len(body) == 2 and set(by_name) == {"euros", "animal"}
    np.testing.assert_allclose(by_name["euros"]["attributions"]["row"], [2.0, -2.0, 2.0], atol=1e-6)
    np.testing.assert_allclose(by_name["animal"]["attributions"]["row"], [0.0, 2.0, 4.0], atol=1e-6)
    assert by_name["animal"]["label_index"] == 1
    assert by_name["animal"]["label_name"] == "crane (1)"  # two of one name, by their index
    assert [it["example_score"] for it in body] == [6.0, 2.0]


def test_a_baseline_that_a_call_chooses_is_that_of_every_output(
    model: pellucid.LoadedModel,
) -> None:
    """The mean of x and 3x is 2x, so that x is explained as −x is from 0."""
    rows = [ROW, [3 * it for it in ROW]]
    for baseline in ("mean", [2 * it for it in ROW]):
        found = model.explain(rows, baseline=baseline)[0]
        euros, animal = (found.by_output[name][0].values["row"] for name in ("euros", "animal"))
        np.testing.assert_allclose(euros, [-2.0, 2.0, -2.0], atol=1e-6)
        np.testing.assert_allclose(animal, [0.0, -2.0, -4.0], atol=1e-6)


def test_settings_of_a_call_are_those_of_every_output(model: pellucid.LoadedModel) -> None:
    labels = model.explain([ROW], method="sampled-shapley", paths=4, top_k=-1)[0].labels
    assert [(it.output, it.index) for it in labels] == [
        ("euros", (0,)), ("animal", (1,)), ("animal", (0,)),
    ]  # fmt: skip
    override = {
        "explanationSpecOverride": {"metadata": {"inputs": {"row": {"inputBaselines": [1]}}}}
    }
    one = model.requested(override).explain([ROW])[0].labels
    assert [it.baseline_score for it in one] == [1.5, 2.0]
    with pytest.raises(SpecError, match=r"outputs\.euros.*outputIndices: 1 is outside the output"):
        model.explain([ROW], output_indices=[1])


def test_one_of_them_is_picked(directory: Path) -> None:
    for name, tensor in (("animal", "kinds"), ("kinds", "kinds")):
        model = pellucid.load(directory, output=name, warn=silent, device="cpu")
        assert [it.name for it in model.metadata.outputs] == [name]
        (label,) = model.explain([ROW])[0].labels
        assert (label.output, label.score) == (name, 6.0)
        assert (model.metadata.output.tensor_name or name) == tensor


def test_predictions_carry_every_output(model: pellucid.LoadedModel) -> None:
    found = model.explain([ROW])
    body = json.loads(found.json(dialect=Dialect.VERTEX))
    expected = {"kinds": [5.0, 6.0], "price": [2.0], "step": [2.0], "text": "bee"}
    assert body["predictions"] == [expected]
    (predicted,) = model.predict([ROW])
    assert isinstance(predicted, dict) and set(predicted) == set(expected)
    again = unpack(found.pack(), "saved.npz")
    assert json.loads(again.json(dialect=Dialect.VERTEX)) == body
    assert again.json() == found.json()


def test_files_are_named_after_the_outputs(model: pellucid.LoadedModel) -> None:
    found = model.explain([ROW], top_k=2)
    names = [it.name for it in files([found], 0, "row", View())]
    assert names == ["row.euros.chart.png", "row.animal.chart.png"]


def test_a_line_of_a_batch_has_both(model: pellucid.LoadedModel, tmp_path: Path) -> None:
    found = model.explain([ROW])
    item = Item(number=0, source="a", path="a", place="a", kind="row", content=ROW)
    (record,) = render(found, [item], Wanted(out=str(tmp_path)), [None])
    line = json.loads(record.result or b"")
    assert set(line["prediction"]) == {"kinds", "price", "step", "text"}
    assert len(line["explanation"]["attributions_by_label"]) == 2
    assert [(it.output, set(it.features)) for it in record.counted] == [
        ("euros", {"row"}),
        ("animal", {"row"}),
    ]


def test_what_is_wrong_with_one_of_them_is_said_with_its_name(
    directory: Path, tmp_path: Path
) -> None:
    file = directory / "other.json"
    file.write_text(
        json.dumps(
            document(
                {"a": {"output_tensor_name": "price"}, "b": {"output_tensor_name": "prise"},
                 "c": {"output_tensor_name": "text"}}
            )
        )
    )  # fmt: skip
    found = [(it.code, it.path) for it in lint(file).problems]
    assert found == [
        ("MD102", "outputs.b.output_tensor_name"),
        ("MD108", "outputs.c.output_tensor_name"),
    ]
    step = document({"a": {"output_tensor_name": "price"}, "b": {"output_tensor_name": "step"}})
    file.write_text(json.dumps(step))
    assert [it.code for it in lint(file).problems] == ["MD120"]
    stepped = pellucid.load(directory, metadata=file, warn=silent, device="cpu")
    with pytest.raises(NotDifferentiableError, match=r"outputs\.b: "):
        stepped.explain([ROW])
    file.unlink()


def test_a_vertex_file_keeps_its_one(directory: Path) -> None:
    spec = {
        "metadata": {"inputs": {"row": {}}, "outputs": {"price": {}, "kinds": {}}},
        "parameters": {"integratedGradientsAttribution": {"stepCount": 5}},
    }
    file = directory / "vertex.json"
    file.write_text(json.dumps(spec))
    assert [it.code for it in lint(file).problems] == ["MD023"]
    file.unlink()


def test_class_names_are_those_of_each_output_that_has_as_many(directory: Path) -> None:
    model = pellucid.load(directory, class_names="ant,bee", warn=silent, device="cpu")
    assert [it.index_name_mapping for it in model.metadata.outputs] == [None, ("ant", "bee")]
    with pytest.raises(SpecError, match=r"3 names, and the output 'euros' has 1, 'animal' has 2"):
        pellucid.load(directory, class_names="a,b,c", warn=silent, device="cpu")
