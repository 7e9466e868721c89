"""Explanations by examples, from a model directory: indexes are made, found, and refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo import export, float_rows, metadata, normal

import pellucid
from pellucid.errors import InstanceError, ModelError, OutputError, SpecError
from pellucid.metadata.example_spec import Distance, Normalization
from pellucid.runtime.engine.tensorflow import tf
from places import SAMPLES

MODELS = ["digits", "diabetes", "wine", "photos", "code_or_prose", "tf1_embedding", "jpeg_bytes"]


def loaded(directory: Path, **options: Any) -> pellucid.LoadedModel:
    return pellucid.load(directory, warn=lambda _: None, **options)


def neighbors(explanations: pellucid.Explanations) -> list[list[tuple[str, float]]]:
    return [[(it.id, it.distance) for it in one.neighbors or ()] for one in explanations]


@pytest.fixture(scope="module")
def diabetes() -> pellucid.LoadedModel:
    return loaded(SAMPLES / "diabetes/model")


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    body = json.loads((SAMPLES / "diabetes/instances.json").read_text())
    base = np.array(body["instances"], np.float32)
    return np.concatenate([base * f for f in np.linspace(0.8, 1.2, 10, dtype=np.float32)])


@pytest.mark.parametrize("name", MODELS)
def test_every_sample_model_finds_each_instance_nearest_to_itself(
    name: str, tmp_path: Path
) -> None:
    directory = SAMPLES / name
    model = loaded(directory / "model")
    body = directory / "instances.json"
    examples: Any = body if body.exists() else directory / "images"
    index = model.index(examples, tmp_path / "i.npz")
    instances = (
        json.loads(body.read_text())["instances"]
        if body.exists()
        else [np.asarray(it.tensors["image"]) for it in images(model, directory / "images")]
    )
    found = model.explain(instances, method="examples", index=index.path, neighbors=2)
    names = [index.id_at(i) for i in range(len(index))]
    assert [row[0][0] for row in neighbors(found)] == names
    assert all(row[0][1] < 1e-6 < row[1][1] for row in neighbors(found))
    assert found[0].labels == ()


def images(model: pellucid.LoadedModel, folder: Path) -> list[Any]:
    from pellucid.inputs.readers import read_image

    return [read_image(path, model.inputs) for path in sorted(folder.iterdir())]


def test_neighbours_are_those_of_the_latent_vectors(
    diabetes: pellucid.LoadedModel, rows: np.ndarray, tmp_path: Path
) -> None:
    """By hand: latent vectors through the model, in standard deviations, and all distances."""
    index = diabetes.index(rows, tmp_path / "i.npz")
    assert (index.distance, index.normalization) == (Distance.SQUARED_L2, Normalization.STANDARD)
    tensor, _ = diabetes.compiler.latent_tensor()
    space = diabetes.compiler.latent_model(tensor)
    vectors = space.predict({"patient": rows}).astype(np.float64)
    vectors = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)
    found = diabetes.explain(rows[:6], method="examples", index=index.path, neighbors=7)
    for i, row in enumerate(neighbors(found)):
        every = ((vectors[i] - vectors) ** 2).sum(axis=1)
        assert [name for name, _ in row] == [str(k) for k in np.argsort(every)[:7]]
        np.testing.assert_allclose([d for _, d in row], np.sort(every)[:7], rtol=1e-4, atol=1e-8)


def test_the_response_has_neighbours_in_place_of_attributions(
    diabetes: pellucid.LoadedModel, rows: np.ndarray, tmp_path: Path
) -> None:
    index = diabetes.index(rows, tmp_path / "i.npz")
    found = diabetes.explain(rows[:1], method="examples", index=index.path, neighbors=2)
    ((first, second),) = neighbors(found)
    expected = {
        "neighbors": [
            {"neighborId": "0", "neighborDistance": first[1]},
            {"neighborId": second[0], "neighborDistance": second[1]},
        ]
    }
    assert json.loads(found.json())["explanations"] == [expected]
    vertex = json.loads(found.json(dialect=pellucid.Dialect.VERTEX))
    assert vertex["explanations"] == [expected]
    assert vertex["predictions"] == [pytest.approx(found[0].prediction.tolist())]
    assert isinstance(vertex["explanations"][0]["neighbors"][0]["neighborDistance"], float)


def test_the_default_place_is_beside_the_model(rows: np.ndarray, tmp_path: Path) -> None:
    copy = shutil.copytree(SAMPLES / "diabetes/model", tmp_path / "model")
    model = loaded(copy)
    with pytest.raises(SpecError, match=r"examples\.npz: there is no index; make one with"):
        model.explain(rows[:1], method="examples")
    index = model.index(rows)
    assert index.path == copy / "examples.npz"
    assert len(neighbors(model.explain(rows[:1], method="examples"))[0]) == 10
    with pytest.raises(OutputError, match="exists; add force=True to overwrite it"):
        model.index(rows)
    assert len(model.index(rows[:3], force=True)) == 3
    assert sorted(os.listdir(copy)) == sorted([*os.listdir(SAMPLES / "diabetes/model"), "examples.npz"])  # fmt: skip


def small(directory: Path, scale: float = 1.0, **others: Any) -> Path:
    """A network [n, 4] → 3 with an inner layer of 6, saved with metadata."""
    directory.mkdir()
    both = {"w": normal(4, 6) * np.float32(scale), "v": normal(6, 3)}
    variables = tf.Module()
    variables.w, variables.v = tf.Variable(both["w"]), tf.Variable(both["v"])

    def serve(x: Any) -> Any:
        middle = tf.tanh(x @ variables.w)
        return {"out": middle @ variables.v, "middle": middle}

    export(directory, serve, variables, x=float_rows(4))
    inputs = {"x": {"input_tensor_name": "x", **others}}
    (directory / "explanation_metadata.json").write_text(json.dumps(metadata(inputs, "out")))
    return directory


X = normal(8, 4, seed=9)


def test_an_index_of_another_model_is_refused(tmp_path: Path) -> None:
    index = loaded(small(tmp_path / "a")).index(X, tmp_path / "i.npz")
    same = Path(shutil.copytree(tmp_path / "a", tmp_path / "copy"))
    assert loaded(same).explain(X[:1], method="examples", index=index.path)
    with pytest.raises(
        SpecError,
        match=r"i\.npz: was made with another model: its graph, its variables or its assets have "
        r"changed; make it again with LoadedModel\.index\(force=True\)",
    ):
        loaded(small(tmp_path / "b", 1.001)).explain(X[:1], method="examples", index=index.path)


def test_another_domain_another_latent_tensor_and_another_preset_are_refused(
    tmp_path: Path,
) -> None:
    a = small(tmp_path / "a", domain={"min": 0, "max": 1})
    index = loaded(a).index(X, tmp_path / "i.npz", latent="middle")
    file = a / "explanation_metadata.json"
    written = json.loads(file.read_text())

    def explain(change: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
        metadata = {**written, **change}
        if parameters is not None:
            del metadata["framework"]
            metadata = {"metadata": metadata, "parameters": parameters}
        file.write_text(json.dumps(metadata))
        loaded(a).explain(X[:1], method="examples", index=index.path)

    explain({})
    inputs = {"x": {"input_tensor_name": "x", "domain": {"min": -1, "max": 1}}}
    with pytest.raises(SpecError, match=r"with the domain \[0, 1\] of input 'x', which is"):
        explain({"inputs": inputs})
    vertex: dict[str, Any] = {
        "inputs": {"x": {"inputTensorName": "x", "featureValueDomain": {"minValue": 0, "maxValue": 1}}},
        "outputs": {"out": {"outputTensorName": "out"}},
    }  # fmt: skip
    with pytest.raises(SpecError, match=r"of the tensor '.*', and the latent space is"):
        explain(vertex, {"examples": {}})
    explain({**vertex, "latentSpaceSource": "middle"}, {"examples": {"presets": {"modality": "TABULAR"}}})  # fmt: skip
    with pytest.raises(
        SpecError,
        match="for squared_l2_distance and normalization standard, and the parameters say "
        "cosine_distance and none",
    ):
        explain({**vertex, "latentSpaceSource": "middle"}, {"examples": {"presets": {"modality": "TEXT"}}})  # fmt: skip


def test_a_specification_for_examples_says_it_all(tmp_path: Path) -> None:
    """As the service's documentation has it: the output of the metadata is the embedding."""
    directory = small(tmp_path / "m")
    lines = [{"id": f"e{i}", "x": x.tolist(), "restricts": "", "crowding_tag": ""} for i, x in enumerate(X)]  # fmt: skip
    (directory / "examples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = {
        "dimensions": 6,
        "approximateNeighborsCount": 10,
        "distanceMeasureType": "DOT_PRODUCT_DISTANCE",
        "featureNormType": "UNIT_L2_NORM",
        "algorithmConfig": {"treeAhConfig": {"leafNodeEmbeddingCount": 1000}},
    }
    spec = {
        "parameters": {
            "examples": {
                "gcsSource": {"uris": ["examples.jsonl"]},
                "neighborCount": 3,
                "nearestNeighborSearchConfig": {"contentsDeltaUri": "", "config": config},
            }
        },
        "metadata": {
            "inputs": {"my_input": {"inputTensorName": "x", "encoding": "IDENTITY"}},
            "outputs": {"embedding": {"outputTensorName": "middle"}},
        },
    }
    (directory / "explanation_metadata.json").write_text(json.dumps(spec))
    model = loaded(directory)
    index = model.index()
    np.testing.assert_allclose(np.linalg.norm(index.vectors, axis=1), 1, rtol=1e-6)
    unit = np.tanh(X @ normal(4, 6))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    found = model.explain([{"id": "q", "x": X[2].tolist()}])
    ((first, *others),) = neighbors(found)
    assert first == ("e2", pytest.approx(-1, abs=1e-6))
    assert [name for name, _ in others] == [f"e{i}" for i in np.argsort(-unit @ unit[2])[1:3]]
    override = {"examplesOverride": {"neighborCount": 2}}
    fewer = model.requested({"explanationSpecOverride": override}).explain(X[:1])
    assert [len(row) for row in neighbors(fewer)] == [2]
    config["dimensions"] = 5
    (directory / "explanation_metadata.json").write_text(json.dumps(spec))
    with pytest.raises(SpecError, match=r"say 5 dimensions, and the latent tensor .* has 6"):
        loaded(directory).index(force=True)


def test_without_examples_it_says_so(diabetes: pellucid.LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there are no examples; name a file or a folder"):
        diabetes.index(path=tmp_path / "i.npz")


def test_an_example_that_does_not_fit_is_named_and_the_rest_is_indexed(tmp_path: Path) -> None:
    model = loaded(SAMPLES / "jpeg_bytes/model")
    body = json.loads((SAMPLES / "jpeg_bytes/instances.json").read_text())
    name, bad = "image_bytes", {"b64": "bm8gcGljdHVyZQ=="}
    value = body["instances"][0].get(name, body["instances"][0])
    lines = [{"id": "a", name: value}, {"id": "b", name: bad}, {"id": "c", name: value}]
    path = tmp_path / "e.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    errors: list[str] = []
    index = model.index(path, tmp_path / "i.npz", on_error=lambda e: errors.append(str(e)))
    assert [index.id_at(i) for i in range(len(index))] == ["a", "c"]
    assert len(errors) == 1 and errors[0].startswith("example 'b': ")
    with pytest.raises(InstanceError, match="example 'b': "):
        model.index(path, tmp_path / "i.npz", force=True)


def test_a_vector_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    export(tmp_path, lambda x: {"out": tf.math.log(x) @ normal(4, 3)}, x=float_rows(4))
    model = loaded(tmp_path)
    x = np.abs(X) + 0.1
    index = model.index(x)
    x[3, 0] = 0
    with pytest.raises(InstanceError, match="example '3': its latent vector is not finite"):
        model.index(x, force=True)
    with pytest.raises(InstanceError, match=r"instances\[3\]: .*not finite"):
        model.explain(x, method="examples", index=index.path)


def test_a_latent_tensor_of_every_size_is_refused(tmp_path: Path) -> None:
    export(tmp_path, lambda x: {"out": tf.reduce_sum(x, 1), "all": x * 2}, x=float_rows(None))
    model = loaded(tmp_path, output="out")
    examples = [[1.0, 2.0], [1.0, 2.0, 3.0]]
    with pytest.raises(SpecError, match="has 2 to 3 elements, depending on the example"):
        model.index(examples, tmp_path / "i.npz", latent="all")
    index = model.index(examples, tmp_path / "i.npz", latent="out")
    assert index.vectors.shape == (2, 1)
    assert index.origin.latent != "all"
    with pytest.raises((SpecError, ModelError)):
        model.index(examples, tmp_path / "j.npz", latent="no")
    assert not (tmp_path / "j.npz").exists()
