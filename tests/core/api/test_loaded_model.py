"""`pellucid.load`: what a notebook can do with it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid
from pellucid.metadata import FileBaseline
from pellucid.notices import Message


@pytest.fixture(scope="module")
def diabetes() -> pellucid.LoadedModel:
    from places import SAMPLES

    return pellucid.load(SAMPLES / "diabetes/model", warn=lambda _: None)


@pytest.fixture(scope="module")
def rows() -> list[list[float]]:
    from places import SAMPLES

    request = json.loads((SAMPLES / "diabetes/instances.json").read_text())
    instances: list[list[float]] = request["instances"]
    return instances


def test_lists_arrays_and_mappings_are_the_same(
    diabetes: pellucid.LoadedModel, rows: list[list[float]]
) -> None:
    expected = diabetes.explain(rows).json()
    array = np.array(rows)
    for same in (array, list(array), {"patient": array}, [{"patient": row} for row in rows]):
        assert diabetes.explain(same).json() == expected


def test_explanations_are_a_sequence_that_knows_its_response(
    diabetes: pellucid.LoadedModel, rows: list[list[float]]
) -> None:
    found = diabetes.explain(rows)
    assert len(found) == len(rows) == len(list(found)) == len(found[:])
    document = found.response()
    assert list(document) == ["explanations", "diagnostics"]
    assert "predictions" in found.response(dialect=pellucid.Dialect.VERTEX)
    label = found[0].labels[0]
    total = sum(float(value.sum()) for value in label.features.values())
    assert total == pytest.approx(label.score - label.baseline_score, rel=1e-4)


def test_options_hold_for_one_call_or_for_a_copy(
    diabetes: pellucid.LoadedModel, rows: list[list[float]]
) -> None:
    coarse = diabetes.explain(rows, steps=1)
    fine = diabetes.explain(rows)
    assert diabetes.parameters.method.step_count == 50  # type: ignore[union-attr]
    assert coarse[0].labels[0].approx_error > 100 * fine[0].labels[0].approx_error  # type: ignore[operator]
    copy = diabetes.configured(steps=1)
    assert copy.explain(rows).json() == coarse.json()
    assert copy.explainer.model is diabetes.explainer.model  # nothing is loaded again


def test_provenance_is_that_of_the_settings_and_of_what_is_in_files_now(
    diabetes: pellucid.LoadedModel, tmp_path: Path
) -> None:
    before = diabetes.provenance
    assert before == diabetes.provenance
    changed = diabetes.configured(steps=1).provenance
    assert changed["parameters"] != before["parameters"]
    assert {**changed, "parameters": 0} == {**before, "parameters": 0}
    file = tmp_path / "baseline.npy"
    (spec,) = diabetes.metadata.inputs
    spec = replace(spec, input_baselines=(FileBaseline(path=str(file)),))
    described = diabetes.described(replace(diabetes.metadata, inputs=(spec,)))
    found = set()
    for value in (0, 1, 1):
        np.save(file, np.full(10, value, np.float32))
        found.add(described.provenance["metadata"])
    assert len(found | {before["metadata"]}) == 3


def test_one_trace_for_each_question_whatever_was_asked(
    diabetes: pellucid.LoadedModel, rows: list[list[float]]
) -> None:
    for count in (1, 3, 200):
        diabetes.explain((rows * 60)[:count], steps=7 + count % 3)
    assert diabetes.explainer.model.traces == {"outputs": 1, "path_gradient": 1}  # type: ignore[attr-defined]


def test_linear_attributions_equal_w_times_x_minus_baseline(tmp_path: Path) -> None:
    """Through a SavedModel in single precision, to 1e-6 of the largest."""
    import tensorflow as tf

    generator = np.random.default_rng(0)
    weights = generator.normal(size=(20, 3)).astype(np.float32)

    class Linear(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.weights = tf.Variable(weights)

        @tf.function(input_signature=[tf.TensorSpec([None, 20], tf.float32, name="x")])  # type: ignore[misc]
        def __call__(self, x: object) -> object:
            return {"y": tf.matmul(x, self.weights)}

    tf.saved_model.save(Linear(), str(tmp_path))
    (tmp_path / "explanation_metadata.json").write_text(
        json.dumps(
            {
                "inputs": {"x": {"input_tensor_name": "x:0", "input_baselines": [0.25]}},
                "outputs": {"y": {"output_tensor_name": "y:0"}},
                "framework": "tensorflow",
            }
        )
    )
    x = generator.normal(size=(8, 20)).astype(np.float32)
    found = pellucid.load(tmp_path).explain(x, top_k=-1)
    for row, explanation in zip(x, found, strict=True):
        for label in explanation.labels:
            expected = weights[:, label.index[0]].astype(np.float64) * (
                row.astype(np.float64) - 0.25
            )
            np.testing.assert_allclose(label.values["x"], expected, rtol=0, atol=1e-6)


def test_warnings_are_python_warnings_unless_someone_listens(samples: Path, tmp_path: Path) -> None:
    import shutil

    model = shutil.copytree(samples / "diabetes/model", tmp_path / "model")
    (model / "explanation_metadata.json").unlink()
    with pytest.warns(UserWarning, match="inferred from signature 'serving_default'"):
        pellucid.load(model)
    said: list[Message] = []
    pellucid.load(model, warn=said.append)
    assert len(said) == 1 and str(said[0]).endswith("inputs 'patient', output 'output_0'")


def test_what_many_instances_have_is_said_once_with_its_number_and_the_worst(
    samples: Path, rows: list[list[float]]
) -> None:
    said: list[Message] = []
    model = pellucid.load(samples / "diabetes/model", warn=said.append, steps=1)
    many = (np.array(rows * 10)[:20] * np.linspace(1, 2, 20)[:, None]).tolist()
    found = model.explain(many)
    errors = [it.labels[0].approx_error or 0 for it in found]
    bad, worst = sum(it > 0.05 for it in errors), int(np.argmax(errors))
    assert bad > 2
    (one,) = map(str, said)
    assert one == (
        f"instances[{worst}]: {found[worst].warnings[0].what} ({bad} of 20 instances have this "
        "warning; the worst is this); refine with tolerance=0.05, raise steps=… or choose another "
        "baseline=…"
    )
    assert sum(len(it.warnings) for it in found) == bad  # each keeps its own
    said.clear()
    alone = model.explain([many[worst]])[0].warnings[0]
    assert [str(it) for it in said] == [f"instances[0]: {alone}"]


def test_instances_of_different_shapes_go_in_one_call(samples: Path) -> None:
    model = pellucid.load(samples / "code_or_prose/model")
    texts = [{"text": "for x in range(10): print(x)"}, {"text": "Return the number of items."}]
    found = model.explain(texts)
    assert [e.labels[0].name for e in found] == ["code", "prose"]
    alone = [model.explain([text])[0] for text in texts]
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_allclose(
            one.labels[0].features["tokens"], other.labels[0].features["tokens"], atol=1e-6
        )


def test_drawings_have_the_photo_s_own_size_or_the_model_s(samples: Path) -> None:
    from pellucid.inputs.readers import read_file

    model = pellucid.load(samples / "photos/model", steps=4, warn=lambda _: None)
    path = samples / "photos/images/cat.jpg"
    found = model.explain(list(read_file(path, model.inputs)))
    with Image.open(path) as picture:
        width, height = picture.size
    assert found.draw(0)["image"].overlay.shape == (height, width, 3)
    assert found.draw(0, own_size=False)["image"].overlay.shape == (224, 224, 3)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"steps": 0}, "steps: 0 is out of range, must be 1 or more"),
        ({"noisy_samples": 0}, "noisy_samples: 0 is out of range, must be 1 or more"),
        ({"top_k": -2}, "top_k: -2 is out of range, must be 1 or more, or -1 for all"),
        ({"tolerance": 0.0}, "tolerance: 0 is out of range, must be above 0"),
        (
            {"tolerance": 0.1, "noisy_samples": 2},
            "tolerance: cannot be kept with noisy samples, which do not end at the instance; leave "
            "out one of the two",
        ),
        (
            {"method": "sampled_shapley"},
            "method: 'sampled_shapley' is unknown; did you mean 'sampled-shapley'?; choose one of "
            "integrated-gradients, xrai, sampled-shapley, lime, examples",
        ),
    ],
)
def test_options_out_of_range(
    diabetes: pellucid.LoadedModel, options: dict[str, int], sentence: str
) -> None:
    with pytest.raises(pellucid.SpecError, match=f"^{re.escape(sentence)}$"):
        diabetes.configured(**options)  # type: ignore[arg-type]


def test_a_mapping_needs_rows(diabetes: pellucid.LoadedModel) -> None:
    with pytest.raises(pellucid.InstanceError, match=r"^a mapping of inputs to arrays needs"):
        diabetes.explain({"patient": 3.0})


def test_digits_at_fifty_steps_have_a_median_error_below_5e_3(samples: Path) -> None:
    """On held-out kinds of error: a hundred digits as scikit-learn bundles them."""
    from skimage.transform import resize
    from sklearn.datasets import load_digits

    small, _ = load_digits(return_X_y=True)
    chosen = np.random.default_rng(0).choice(len(small), 100, replace=False)
    big = [resize(small[i].reshape(8, 8) / 16, (28, 28), order=3, mode="constant") for i in chosen]
    model = pellucid.load(samples / "digits/model", warn=lambda _: None)
    found = model.explain(np.clip(np.stack(big), 0, 1))
    errors = [explanation.labels[0].approx_error for explanation in found]
    assert np.median([e for e in errors if e is not None]) < 5e-3


def test_a_tolerance_holds_for_the_sum_and_the_attributions(samples: Path) -> None:
    """On digits, against 500 midpoints; and what was used and is left is reported."""
    from pellucid.inputs.readers import read_file

    model = pellucid.load(samples / "digits/model", warn=lambda _: None)
    paths = sorted((samples / "digits/images").iterdir())
    read = [instance for path in paths for instance in read_file(path, model.inputs)]
    found = model.explain(read, tolerance=0.05)
    exact = model.explain(read, steps=500, quadrature="midpoint")
    labels = [explanation.labels[0] for explanation in found]
    said = [e["diagnostics"][0] for e in found.response()["explanations"]]
    assert [it["gradients"] for it in said] == [label.evaluations for label in labels]
    assert max(label.approx_error or 0.0 for label in labels) <= 0.05
    assert np.mean([it["gradients"] for it in said]) <= 40
    for label, fine, it in zip(labels, exact, said, strict=True):
        got, value = label.values["image"], fine.labels[0].values["image"]
        assert np.linalg.norm(got - value) <= it["quadrature_error"] * np.linalg.norm(got)
        assert it["quadrature_error"] <= 0.05


def test_a_tolerance_that_is_not_reached_is_said_not_to_be(samples: Path) -> None:
    said: list[Message] = []
    model = pellucid.load(samples / "photos/model", warn=said.append)
    from pellucid.inputs.readers import read_file

    cat = list(read_file(samples / "photos/images/cat.jpg", model.inputs))
    model.explain(cat, tolerance=1e-6, max_steps=9)
    (sentence,) = map(str, said)
    assert (
        "error is" in sentence and "above the tolerance of 1e-06, after 9 gradients: " in sentence
    )
    # The cat is certain, and its probability all but a step on the way.
    assert "the softmax of the output is saturated at the instance" in sentence
    assert "explain the score before it with logits=True, or raise max_steps=…" in sentence
    model.explain(cat, tolerance=0.05, max_steps=9)
    assert "quadrature_error is" in str(said[1])


def test_logits_are_the_scores_before_the_softmax(samples: Path) -> None:
    model = samples / "digits/model"
    request = json.loads((samples / "digits/instances.json").read_text())["instances"]
    plain = pellucid.load(model, warn=lambda _: None).explain(request)
    logits = pellucid.load(model, logits=True, warn=lambda _: None).explain(request)
    for one, other in zip(plain, logits, strict=True):
        softmax = np.exp(other.prediction) / np.exp(other.prediction).sum()
        np.testing.assert_allclose(softmax, one.prediction, rtol=1e-4, atol=1e-6)
        assert one.labels[0].index == other.labels[0].index
        assert other.labels[0].score > 1.5


def test_an_output_without_a_softmax_has_no_logits(samples: Path) -> None:
    with pytest.raises(pellucid.SpecError) as error:
        pellucid.load(samples / "diabetes/model", logits=True)
    assert str(error.value).startswith("the output 'progression' comes from the operation ")
    assert "there are no logits to find" in str(error.value)


METHODS = {
    "integrated-gradients": {"steps": 5},
    "xrai": {"steps": 5},
    "sampled-shapley": {"paths": 4},
    "lime": {"samples": 50, "segmentation": "slic"},
}
IMAGES = ("digits", "photos", "jpeg_bytes")
# Sampled Shapley over 150,528 pixels is refused; it has regions for players there.
SENSIBLE = [
    (name, method)
    for name in (*IMAGES, "diabetes", "wine", "code_or_prose", "tf1_embedding")
    for method in METHODS
    if name in IMAGES or method in ("integrated-gradients", "sampled-shapley")
]


@pytest.mark.parametrize("name, method", SENSIBLE)
def test_every_sample_with_every_method_that_makes_sense(
    samples: Path, name: str, method: str
) -> None:
    from pellucid.inputs.readers import read_file

    options: dict[str, object] = {"method": method, **METHODS[method]}
    if method == "sampled-shapley" and name in ("photos", "jpeg_bytes"):
        options["players"] = "regions"
    model = pellucid.load(samples / name / "model", warn=lambda _: None)
    request = samples / name / "instances.json"
    path = request if request.exists() else samples / name / "images/cat.jpg"
    instances = list(read_file(path, model.inputs))[:2]
    found = model.explain(instances, **options)
    assert len(found) == len(instances)
    for explanation in found:
        (label,) = explanation.labels
        for value in label.features.values():
            assert np.isfinite(value).all()
        assert any(np.abs(value).max() > 0 for value in label.features.values())
        if method == "sampled-shapley":
            total = sum(float(value.sum()) for value in label.features.values())
            assert total == pytest.approx(label.score - label.baseline_score, rel=1e-4, abs=1e-5)
    assert found.json().startswith(b"{")


def test_an_inner_tensor_is_explained_of_a_model_with_several_outputs(tmp_path: Path) -> None:
    import tensorflow as tf

    class Two(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])  # type: ignore[misc]
        def __call__(self, x: object) -> object:
            inner = tf.reduce_sum(x * [1.0, 2.0, 3.0], axis=1, keepdims=True, name="inner")
            return {"a": inner + 1.0, "b": inner * 2.0}

    tf.saved_model.save(Two(), str(tmp_path))
    (found,) = pellucid.load(tmp_path, output="inner", warn=lambda _: None).explain([[1.0, 1, 1]])
    np.testing.assert_allclose(found.labels[0].values["x"], [1.0, 2.0, 3.0], rtol=1e-6)


def test_a_method_without_gradients_is_not_warned_of_what_has_none(
    samples: Path, tmp_path: Path
) -> None:
    said: list[Message] = []
    document = json.loads((samples / "tf1_embedding/model/explanation_metadata.json").read_text())
    tokens = document["inputs"]["tokens"]
    for key in ("encoded_tensor_name", "encoding"):
        del tokens[key]
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps(document))
    model = samples / "tf1_embedding/model"
    pellucid.load(model, metadata=file, method="sampled-shapley", warn=said.append)
    assert said == []
    with pytest.raises(pellucid.SpecError, match="MD103 not-differentiable"):
        pellucid.load(model, metadata=file, method="integrated-gradients")


def test_a_request_for_another_signature_is_told_which_there_are(
    diabetes: pellucid.LoadedModel,
) -> None:
    assert diabetes.requested({"signature_name": "serving_default"}) is diabetes
    with pytest.raises(pellucid.SpecError) as error:
        diabetes.requested({"signature_name": "other"})
    assert str(error.value) == (
        "signature_name: 'other' is not what is explained here, 'serving_default'; "
        "the model has serve, serving_default"
    )
