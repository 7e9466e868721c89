"""Twelve published models: each is explained on its real inputs, or refused with the true reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pellucid
from pellucid.notices import Message
from places import SHARED

MODELS = SHARED / "models"
pytestmark = pytest.mark.skipif(
    not MODELS.is_dir(), reason=f"the published models are not in {MODELS}"
)
SIMPLE = "it was written with an add-on or a custom operation, and cannot run without it"


def instances(name: str) -> Any:
    return json.loads((MODELS / name / "inputs" / "instances.json").read_text("utf-8"))["instances"]


def explained(name: str, request: Any, **options: Any) -> Any:
    heard: list[Message] = []
    loaded = pellucid.load(MODELS / name / "model", warn=heard.append, **options)
    explanations = loaded.explain(request)
    model = loaded.explainer.model
    assert model.backend == "FlatGraphBackend"
    assert model.traces["path_gradient"] == 1
    return explanations, list(map(str, heard))


def photo(path: Path, size: tuple[int, int], mode: str) -> np.ndarray:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert(mode).resize(size, Image.Resampling.BILINEAR))
    return (pixels / 255).astype(np.float32)


def adds_up(explanations: Any, at_most: float) -> None:
    for explanation in explanations:
        label = explanation.labels[0]
        total = sum(float(values.sum()) for values in label.values.values())
        change = label.score - label.baseline_score
        assert abs(total - change) <= at_most * max(abs(change), 1e-3)


def test_photos_by_a_tensorflow_1_network() -> None:
    names = ("kserve_cat", "kserve_dog", "omnixai_dog")
    folder = MODELS / "dotnet_cifar" / "inputs"
    pixels = [photo(folder / f"{name}.jpg", (32, 32), "RGB") for name in names]
    explanations, _ = explained("dotnet_cifar", pixels)
    assert [e.labels[0].values["Input"].shape for e in explanations] == [(32, 32, 3)] * 3
    adds_up(explanations, 0.05)


def test_digits_by_a_keras_2_network() -> None:
    folder = MODELS / "scisharp_mnist_mlp" / "inputs"
    digits = [
        photo(folder / f"{name}.png", (28, 28), "L")[..., None]
        for name in ("digit_0_kserve", "digit_vanhai")
    ]
    explanations, _ = explained("scisharp_mnist_mlp", digits)
    assert explanations[0].labels[0].index == (0,)
    adds_up(explanations, 0.05)


def test_a_keras_model_that_was_saved_with_its_optimizer_s_slots() -> None:
    spectra = np.random.default_rng(0).normal(size=(3, 49, 10, 1)).astype(np.float32)
    explanations, _ = explained("mlperf_tiny_kws", list(spectra))
    adds_up(explanations, 0.05)


@pytest.mark.parametrize("output", ["heating_load", "cooling_load"])
def test_one_of_two_regressions(output: str) -> None:
    explanations, heard = explained(
        "heating_cooling_2out", instances("heating_cooling_2out"), output=output
    )
    adds_up(explanations, 0.05)
    # The last instance is the baseline itself.
    assert not explanations[4].labels[0].values["input"].any()
    assert heard[-1].startswith("instances[4]: the output equals that of the baseline")


def test_two_outputs_want_a_choice() -> None:
    with pytest.raises(pellucid.SpecError) as stop:
        pellucid.load(MODELS / "heating_cooling_2out" / "model")
    assert str(stop.value) == (
        "signature 'serving_default' has several outputs; choose one of 'cooling_load', "
        "'heating_load' with output=…"
    )


def test_bucketized_floats_are_explained_with_a_warning() -> None:
    """Words are explained at their one-hot codes. The floats pass through buckets: at the instances
    their gradient is 0, and what the path from 0 collects is a small part of their change, as the
    warning says.
    """
    explanations, heard = explained("babyweight_bucketized", instances("babyweight_bucketized"))
    names = {"gestation_weeks", "is_male", "mother_age", "plurality"}
    for explanation in explanations:
        label = explanation.labels[0]
        assert set(label.values) == names
        assert label.approx_error is not None and label.approx_error > 0.3
    assert sum("(Bucketize), which has no gradient (2 of 4 inst" in it for it in heard) == 1
    assert sum("approx_error is 0.455" in it and "(2 of 4 inst" in it for it in heard) == 1


def test_features_by_name_are_explained_as_the_example_that_they_make() -> None:
    explanations, heard = explained("iris_tf1_estimator", instances("iris_tf1_estimator"))
    names = {"petal_length", "petal_width", "sepal_length", "sepal_width"}
    assert all(set(it.labels[0].values) == names for it in explanations)
    assert "class_name" not in heard[0]  # which the output does not depend on
    adds_up(explanations, 1e-4)


def test_a_serialized_example_is_explained_at_the_tensors_that_are_parsed_from_it(
    tmp_path: Path,
) -> None:
    from pellucid.runtime.engine.tensorflow import tf

    file = MODELS / "iris_tf1_estimator" / "inputs" / "examples.tfrecord"
    examples = [record.numpy() for record in tf.data.TFRecordDataset(str(file))]
    names = ("petal_length", "petal_width", "sepal_length", "sepal_width")
    inputs = {
        name: {"input_tensor_name": f"ParseExample/ParseExample:{i}"}
        for i, name in enumerate(names, start=3)
    }
    outputs = {"scores": {"output_tensor_name": "scores"}}
    text = json.dumps({"inputs": inputs, "outputs": outputs, "framework": "tensorflow"})
    (tmp_path / "explanation_metadata.json").write_text(text, "utf-8")
    explanations, _ = explained(
        "iris_tf1_estimator", examples, metadata=tmp_path / "explanation_metadata.json"
    )
    assert len(explanations) == 6
    rows = instances("iris_tf1_estimator")
    for explanation, row in zip(explanations, rows, strict=True):
        for name in names:
            np.testing.assert_allclose(explanation.inputs[name], row[name], rtol=1e-6)
    assert any(explanations[0].labels[0].values[name].any() for name in names)
    adds_up(explanations, 0.05)


FAULTS = {
    "neg_empty_pb": "{model}/saved_model.pb: is empty (0 bytes); copy or export the model again",
    "neg_lfs_pointer": (
        "{model}/saved_model.pb: is a Git LFS pointer, not the model; run `git lfs pull`"
    ),
    "neg_missing_op_forest": (
        "the model needs the operation 'SimpleMLInferenceOpWithHandle', which TensorFlow {version} "
        f"does not have: {SIMPLE}"
    ),
    "neg_missing_op_zeroout": (
        f"the model needs the operation 'ZeroOut', which TensorFlow {{version}} does not have: {SIMPLE}"
    ),
    "neg_truncated_pb": (
        "{model}/saved_model.pb: is truncated or damaged, it cannot be read as a SavedModel; copy "
        "or export the model again"
    ),
    "neg_truncated_vars": (
        "{model}/variables/variables.data-00000-of-00001: is truncated, 183996 bytes where "
        "variables.index speaks of 367992; copy or export the model again"
    ),
}


def test_every_model_has_its_test() -> None:
    known = {
        "babyweight_bucketized",
        "dotnet_cifar",
        "heating_cooling_2out",
        "iris_tf1_estimator",
        "mlperf_tiny_kws",
        "scisharp_mnist_mlp",
    }
    assert {path.name for path in MODELS.iterdir() if path.is_dir()} == known | set(FAULTS)


def fault(name: str) -> str:
    from pellucid.runtime.engine.tensorflow import tf

    return FAULTS[name].format(model=MODELS / name / "model", version=tf.__version__)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_broken_model_gets_the_sentence_that_names_its_fault(name: str) -> None:
    with pytest.raises(pellucid.ModelError) as stop:
        pellucid.load(MODELS / name / "model", warn=lambda sentence: None)
    assert str(stop.value) == fault(name)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_broken_model_ends_the_program_with_2_and_no_traceback(
    name: str, program: Any, tmp_path: Path
) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"instances": [[1, 2]]}', "utf-8")
    run = program("explain", MODELS / name / "model", request)
    assert (run.code, run.out) == (2, b"")
    lines = run.err.splitlines()
    assert [line for line in lines if "no explanation_metadata.json" not in line] == [
        f"error: {fault(name)}"
    ]
