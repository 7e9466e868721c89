"""Every tensor of every export is in reach: behind layers of Keras 3, without a shape, in bfloat16."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo import Net, Sample, expected, export, float_rows, normal

import pellucid
from pellucid.errors import ModelError, NotDifferentiableError, SpecError
from pellucid.linter import lint
from pellucid.runtime.engine.tensorflow import tf

keras, v1 = tf.keras, tf.compat.v1
layers = keras.layers
WORDS = np.array([[1, 5, 3, 0, 2, 19], [7, 7, 1, 2, 3, 4]], np.int32)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, tuple[Path, str]]]:
    """Words to two outputs, in both exports, with the key that each gives to the words."""
    keras.utils.set_random_seed(5)
    ids = keras.Input((6,), dtype="int32", name="ids")
    x = layers.Embedding(20, 4, name="word_emb")(ids)
    x = layers.Conv1D(5, 3, activation="tanh", name="conv")(x)
    x = layers.Dense(4, activation="tanh", name="hidden")(layers.Flatten()(x))
    main = layers.Dense(3, activation="softmax", name="main_output")(x)
    network = keras.Model(ids, [main, layers.Dense(1, "sigmoid", name="aux_output")(x)])
    folder = tmp_path_factory.mktemp("tagger")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras, of names
        network.export(str(folder / "export"), verbose=False)
        tf.saved_model.save(network, str(folder / "save"))
    return network, {"export": (folder / "export", "ids"), "save": (folder / "save", "inputs")}


def explained(tagger: Any, kind: str, output: str, encoded: str, folder: Path) -> Any:
    directory, key = tagger[1][kind]
    document = folder / "metadata.json"
    words = {"input_tensor_name": key, "encoding": "concat_embedding"}
    metadata = {
        "inputs": {"words": {**words, "encoded_tensor_name": encoded}},
        "outputs": {"out": {"output_tensor_name": output}},
        "framework": "tensorflow",
    }
    document.write_text(json.dumps(metadata))
    return pellucid.load(directory, metadata=document, warn=lambda _: None).explain(WORDS)


@pytest.mark.parametrize("kind", ["export", "save"])
@pytest.mark.parametrize("output", ["aux_output:0", "main_output"])
def test_a_tensor_behind_a_layer_is_explained_as_a_tape_does(
    tagger: Any, kind: str, output: str, tmp_path: Path
) -> None:
    network, _ = tagger
    found = explained(tagger, kind, output, "word_emb:0", tmp_path)
    embedding = network.get_layer("word_emb")
    rest = keras.Model(embedding.output, network.outputs[output.startswith("aux")])
    embedded = np.asarray(embedding(WORDS))
    sample = Sample(x={}, points={"e": embedded}, function=lambda e: rest(e))
    targets = [it.labels[0].index[0] for it in found]
    truth = expected(sample, targets, ["e"])["e"].sum(axis=-1)
    got = np.stack([it.labels[0].features["words"] for it in found])
    np.testing.assert_allclose(got, truth, atol=1e-5 * np.abs(truth).max())
    scores = np.asarray(rest(embedded))[[0, 1], targets]
    np.testing.assert_allclose([it.labels[0].score for it in found], scores, rtol=1e-5)


@pytest.mark.parametrize("kind", ["export", "save"])
@pytest.mark.parametrize(
    "written, meant",
    [("aux_outptu:0", "aux_output:0"), ("hiden", "hidden"), ("main_ouput:0", "main_output:0")],
)
def test_a_mistyped_layer_is_told_the_one_that_was_meant(
    tagger: Any, kind: str, written: str, meant: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError) as caught:
        explained(tagger, kind, written, "word_emb:0", tmp_path)
    assert f"'{written}' is not a tensor of the model; did you mean '{meant}'" in str(caught.value)
    assert explained(tagger, kind, meant, "word_emb:0", tmp_path)[0].labels  # the advice works


def test_a_signature_without_a_shape_has_that_of_its_placeholder(tmp_path: Path) -> None:
    weights = normal(1, 2)
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 1], "x")
        y = tf.identity(tf.tanh(x @ weights), "y")
        unshaped = v1.saved_model.build_tensor_info(x)
        unshaped.ClearField("tensor_shape")
        signature = v1.saved_model.build_signature_def(
            {"x": unshaped},
            {"y": v1.saved_model.build_tensor_info(y)},
            "tensorflow/serving/predict",
        )
        builder = v1.saved_model.Builder(str(tmp_path / "m"))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    model = pellucid.load(tmp_path / "m", warn=lambda _: None)
    assert model.inputs[0].instance_shape == (1,)
    (label,) = model.explain([[0.5]])[0].labels
    assert label.values["x"].shape == (1,)
    assert label.score == pytest.approx(np.tanh(0.5 * weights).max(), rel=1e-5)


def test_inputs_of_bfloat16_are_explained_as_float16_ones_are(tmp_path: Path) -> None:
    network, x = Net(), normal(2, 4)
    found = {}
    for kind in (tf.float16, tf.bfloat16):
        directory = tmp_path / kind.name
        export(
            directory,
            lambda x: network(tf.cast(x, tf.float32)),
            network,
            x=float_rows(4, dtype=kind),
        )
        model = pellucid.load(directory, output_indices=[0], warn=lambda _: None)
        found[kind] = [it.labels[0] for it in model.explain(x.tolist())]
    for half, brain in zip(*found.values(), strict=True):
        # bfloat16 has eight bits of a number.
        np.testing.assert_allclose(brain.values["x"], half.values["x"], atol=0.02)
        assert brain.values["x"].dtype == np.float64 and brain.approx_error < 0.01


def test_a_refusal_names_the_innermost_operation_as_the_linter_does(tmp_path: Path) -> None:
    """A function within a function rounds; what is called is in nobody's way."""
    network = Net()

    @tf.function
    def inner(x: Any) -> Any:
        return tf.round(x * 10.0, name="to_tenths")

    export(tmp_path, lambda x: network(tf.function(inner)(x)), network, x=float_rows(4))
    with pytest.raises(NotDifferentiableError) as caught:
        pellucid.load(tmp_path, warn=lambda _: None).explain(normal(1, 4))
    assert "to_tenths' (Round) on the way to the output is not differentiable" in str(caught.value)
    (problem,) = (it for it in lint(tmp_path).problems if it.code == "MD120")
    named = str(caught.value).partition("operation ")[2].partition(" on")[0]
    assert named in problem.message and "(StatefulPartitionedCall)" not in str(caught.value)


def test_tensorflow_is_blamed_only_for_what_it_cannot_run(tmp_path: Path) -> None:
    """The second output does not depend on `x`, and TensorFlow computes it all the same."""
    network = Net()

    def serve(x: Any, z: Any) -> Any:
        return {"y": network(x), "w": network(z)}

    export(tmp_path, serve, network, x=float_rows(4), z=float_rows(4))
    document = tmp_path / "metadata.json"
    metadata = {
        "inputs": {"x": {"input_tensor_name": "x"}},
        "outputs": {"w": {"output_tensor_name": "w"}},
        "framework": "tensorflow",
    }
    document.write_text(json.dumps(metadata))
    with pytest.raises((ModelError, SpecError)) as caught:
        pellucid.load(tmp_path, metadata=document, warn=lambda _: None)
    assert "does not depend on 'x'" in str(caught.value)
    assert "TensorFlow" not in str(caught.value)
