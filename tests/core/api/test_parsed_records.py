"""Models that parse their records: what is parsed is explained, on the first try, without metadata.

Attributions are checked against a tape at what is parsed, and against all coalitions of features.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from record_models import b64, example, load, saved, shapley_values, texts

import pellucid
from pellucid.linter import draft_metadata
from pellucid.metadata import Modality
from pellucid.metadata.documents import dump_metadata
from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model import read

F = tf.io.FixedLenFeature
SPEC = {
    "age": F([1], tf.float32),
    "box": F([2], tf.float32, [0.5, 0.5]),
    "job": F([], tf.int64, 3),
    "city": F([], tf.string, "oslo"),
    "label": F([], tf.float32, 0.0),
}
TABLE = np.random.RandomState(0).randn(10, 2).astype("f")
WEIGHT = np.random.RandomState(1).randn(6, 3).astype("f")


def network(age: Any, box: Any, job: Any, city: Any, label: Any) -> Any:
    """Take all but the label, of which estimators read the shape."""
    rome = tf.cast(tf.equal(city, "rome"), tf.float32)[:, None]
    h = tf.concat([age, box, tf.gather(TABLE, job), rome], 1)
    return tf.nn.softmax(tf.tanh(h) @ WEIGHT)


def by_keras_and_calls(directory: Path) -> Path:
    inner = tf.function(lambda parsed: network(**parsed))
    parse = tf.function(lambda examples: tf.io.parse_example(examples, SPEC))
    return saved(directory, lambda examples: {"p": inner(parse(examples))}, texts("examples"))


def by_tensorflow_1(directory: Path) -> Path:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], "input_example_tensor")
        # The operation of old: each key is an input of its own.
        names = sorted(SPEC)
        found = tf.raw_ops.ParseExample(
            serialized=examples, names=[], sparse_keys=[], dense_keys=names,
            dense_defaults=[
                tf.constant([] if SPEC[n].default_value is None else SPEC[n].default_value, SPEC[n].dtype)
                for n in names
            ],
            sparse_types=[], dense_shapes=[SPEC[n].shape for n in names],
        ).dense_values  # fmt: skip
        p = network(**dict(zip(names, found, strict=True)))
        v1.saved_model.simple_save(session, str(directory), {"examples": examples}, {"p": p})
    return directory


WHOLE = {"age": 2.5, "box": [1.0, -0.5], "job": 4, "city": "rome"}
PARSED = {"age": [[2.5]], "box": [[1.0, -0.5]], "job": [4], "city": [b"rome"], "label": [0.0]}
ZERO = {"age": [[0.0]], "box": [[0.0, 0.0]], "job": [0], "city": [b""], "label": [0.0]}


def tensors(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tf.constant(value, SPEC[name].dtype) for name, value in values.items()}


@pytest.fixture(scope="module", params=[by_keras_and_calls, by_tensorflow_1])
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = request.param(tmp_path_factory.mktemp("model") / "m")
    return made


INSTANCES = [
    b64(example(age=2.5, box=[1.0, -0.5], job=4, city=[b"rome"])),
    {"examples": b64(example(age=2.5, box=[1.0, -0.5], job=4, city=[b"rome"]))},
    WHOLE,
    {"examples": WHOLE},
]


@pytest.mark.parametrize("instance", INSTANCES)
def test_shapley_values_are_those_of_all_coalitions(directory: Path, instance: Any) -> None:
    model, said = load(directory, method="sampled-shapley")
    (found,) = model.explain([instance])
    label = found.labels[0]
    players = [("age", 0), ("box", 0), ("box", 1), ("job", 0), ("city", 0)]
    target = label.index[0]

    def score(inside: frozenset[int]) -> float:
        mixed = {k: np.array(v, object).copy() for k, v in ZERO.items()}
        for i in inside:
            name, place = players[i]
            mixed[name].reshape(-1)[place] = np.array(PARSED[name], object).reshape(-1)[place]
        return float(network(**tensors({k: v.tolist() for k, v in mixed.items()}))[0, target])

    got = [np.ravel(label.features[name])[place] for name, place in players]
    np.testing.assert_allclose(got, shapley_values(len(players), score), atol=1e-6)
    assert label.approx_error == 0
    assert "inputs 'age', 'box', 'city', 'job'" in said[0]


def test_integrated_gradients_are_those_of_a_tape_and_the_rest_is_held(directory: Path) -> None:
    model, said = load(directory, steps=50)
    (found,) = model.explain([WHOLE])
    label = found.labels[0]
    target, nodes, weights = label.index[0], *np.polynomial.legendre.leggauss(50)
    total = {"age": np.zeros((1, 1)), "box": np.zeros((1, 2))}
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        point = tensors(PARSED)
        moved = {name: tf.constant(node * np.array(PARSED[name]), tf.float32) for name in total}
        with tf.GradientTape() as tape:
            tape.watch(moved)
            y = network(**{**point, **moved})[:, target]
        for name, gradient in tape.gradient(y, moved).items():
            total[name] += weight * gradient.numpy() * PARSED[name]
    for name, value in total.items():
        np.testing.assert_allclose(label.features[name], value[0], atol=1e-5)
    assert sorted(found.held) == ["city", "job"]
    assert any("'city', 'job', which no gradient reaches" in it for it in said)


def test_defaults_of_the_model_stand_for_features_that_are_not_given(directory: Path) -> None:
    model, _ = load(directory, method="sampled-shapley")
    short, whole = model.explain([{"age": 1.0}, {"age": 1.0, "box": [0.5, 0.5], "job": 3, "city": "oslo"}])  # fmt: skip
    for name, value in short.labels[0].features.items():
        np.testing.assert_array_equal(value, whole.labels[0].features[name])


def test_a_draft_has_what_is_parsed_and_is_explained(directory: Path, tmp_path: Path) -> None:
    draft = draft_metadata(read(directory), for_method="sampled-shapley")
    kinds = {it.name: it.modality for it in draft.metadata.inputs}
    assert kinds == {
        "age": Modality.NUMERIC,
        "box": Modality.NUMERIC,
        "city": Modality.CATEGORICAL,
        "job": Modality.CATEGORICAL,
    }
    (tmp_path / "m.json").write_text(json.dumps(dump_metadata(draft.metadata)))
    written, said = load(directory, metadata=tmp_path / "m.json", method="sampled-shapley")
    inferred, _ = load(directory, method="sampled-shapley")
    one, other = written.explain([WHOLE])[0], inferred.explain([WHOLE])[0]
    for name, value in one.labels[0].features.items():
        np.testing.assert_array_equal(value, other.labels[0].features[name])
    assert said == []
    gradients = draft_metadata(read(directory), for_method="integrated-gradients")
    assert {it.name for it in gradients.metadata.inputs} >= {"age", "box"}
    (tmp_path / "g.json").write_text(json.dumps(dump_metadata(gradients.metadata)))
    explained, _ = load(directory, metadata=tmp_path / "g.json")
    assert explained.explain([WHOLE])[0].labels[0].approx_error < 1e-3


def test_lists_that_no_gradient_reaches_are_held_and_named(tmp_path: Path) -> None:
    spec = {
        "ids": tf.io.VarLenFeature(tf.int64),
        "values": tf.io.RaggedFeature(tf.float32),
        "more": tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True),
        "w": F([], tf.float32),
    }

    def serve(examples: Any) -> Any:
        p = tf.io.parse_example(examples, spec)
        ids = tf.reduce_sum(tf.cast(tf.sparse.to_dense(p["ids"]), tf.float32), 1)
        lists = tf.reduce_sum(p["values"], 1) + tf.reduce_sum(p["more"], 1)
        return {"y": tf.tanh(p["w"] * (ids + lists))}

    model, said = load(saved(tmp_path / "m", serve, texts("examples")))
    rows = [{"w": 0.1, "ids": [1, 2], "values": [0.5], "more": [1, 2]}, {"w": 0.2, "ids": 3}]
    found = model.explain(rows)
    assert [it.held for it in found] == [("ids", "values")] * 2
    assert found[0].labels[0].score == pytest.approx(math.tanh(0.1 * 6.5), abs=1e-6)
    assert found[1].labels[0].features["w"] == pytest.approx(math.tanh(0.6), abs=1e-4)
    assert any("'ids', 'values', which no gradient reaches" in it for it in said)


def test_rows_of_csv_are_explained_by_their_columns(tmp_path: Path) -> None:
    def serve(rows: Any) -> Any:
        a, b, c = tf.io.decode_csv(rows, [tf.constant([], tf.float32), [1.0], [""]])
        return {"y": tf.tanh(a) * b + tf.cast(tf.equal(c, "x"), tf.float32)}

    model, _ = load(saved(tmp_path / "m", serve, texts("rows")), method="sampled-shapley")
    first, second = model.explain(["1.0,2.0,x", "-2.0,,y"])
    values = [float(first.labels[0].features[f"column_{i}"]) for i in (1, 2, 3)]
    np.testing.assert_allclose(values, [math.tanh(1), math.tanh(1), 1], atol=1e-6)
    assert second.labels[0].score == pytest.approx(math.tanh(-2), abs=1e-6)
    assert model.explain([[1.0, 2.0, "x"]])[0].labels[0].score == first.labels[0].score

    for row, what in WRONG_ROWS:
        with pytest.raises(pellucid.InstanceError) as stop:
            model.explain(["1.0,2.0,x", row])
        assert str(stop.value) == f"instances[1]: {what}"


WRONG_ROWS: list[tuple[Any, str]] = [
    ("1,2,x,y", "the row has 4 columns, and the model takes 3"),
    ("1,2", "the row has 2 columns, and the model takes 3"),
    ("5", "the row has 1 column, and the model takes 3"),
    (",2,x", "column 1 of the row is empty, and the model requires it"),
    ("1,abc,x", "column 2 of the row is 'abc', which is no float"),
    ([1.0, 2.0], "input 'rows' is a row of CSV of 3 columns, got a list of 2"),
]


def test_records_beside_another_input(tmp_path: Path) -> None:
    def serve(examples: Any, scale: Any) -> Any:
        p = tf.io.parse_example(examples, {"a": F([], tf.float32), "scale": F([], tf.float32)})
        return {"y": tf.tanh(p["a"] * p["scale"]) * scale}

    spec = tf.TensorSpec([None], tf.float32, "scale")
    model, _ = load(saved(tmp_path / "m", serve, texts("examples"), spec), method="sampled-shapley")
    (found,) = model.explain([{"examples": {"a": 0.5, "scale": 2.0}, "scale": 3.0}])
    third = pytest.approx(math.tanh(1) * 3 / 3, abs=1e-6)
    assert found.labels[0].features == {"a": third, "examples.scale": third, "scale": third}


def test_a_list_that_is_looked_up_and_summed_is_one_player_at_its_embedding(tmp_path: Path) -> None:
    spec = {"ids": tf.io.VarLenFeature(tf.int64), "w": F([], tf.float32)}

    def serve(examples: Any) -> Any:
        p = tf.io.parse_example(examples, spec)
        found = tf.nn.safe_embedding_lookup_sparse(tf.constant(TABLE), p["ids"], combiner="mean")
        return {"y": tf.tanh(tf.reduce_sum(found, 1) * p["w"] + p["w"])}

    directory = saved(tmp_path / "m", serve, texts("examples"))
    rows = [{"ids": [3, 4, 5], "w": 0.5}, {"ids": 7, "w": 1.5}, {"w": 1.0}]

    def score(total: float, w: float) -> float:
        return math.tanh(total * w + w)

    for method in ("sampled-shapley", "integrated-gradients"):
        model, _ = load(directory, method=method)
        found = model.explain(rows)
        for ids, row, explanation in zip(([3, 4, 5], [7], []), rows, found, strict=True):
            total = float(TABLE[ids].mean(axis=0).sum()) if ids else 0.0
            w = float(row["w"])
            features = {k: float(v.sum()) for k, v in explanation.labels[0].features.items()}
            assert set(features) == {"ids", "w"}
            assert explanation.held == ()
            assert sum(features.values()) == pytest.approx(score(total, w), abs=1e-4)
            if method == "sampled-shapley":
                # With w = 0 the list moves nothing, so that half of what it moves at w is its own.
                own = (score(total, w) - score(0.0, w)) / 2
                assert features["ids"] == pytest.approx(own, abs=1e-6)


def test_what_is_missing_in_a_record_is_the_baseline_or_nan_and_has_no_mean(tmp_path: Path) -> None:
    spec = {"a": F([], tf.float32), "b": F([], tf.float32)}

    def serve(examples: Any) -> Any:
        p = tf.io.parse_example(examples, spec)
        a = tf.where(tf.math.is_nan(p["a"]), 0.25, p["a"])
        return {"y": tf.tanh(a + p["b"])}

    directory, rows = saved(tmp_path / "m", serve, texts("examples")), [{"a": None, "b": 1.0}]
    shapley = {"method": "sampled-shapley"}
    model, _ = load(directory, missing="nan", **shapley)
    assert model.explain(rows)[0].labels[0].score == pytest.approx(math.tanh(1.25), abs=1e-6)
    with pytest.raises(pellucid.InstanceError, match="has a missing value in 'a', NaN, and so"):
        load(directory, missing="nan")[0].explain(rows)
    model, _ = load(directory, missing="baseline", baseline={"a": 0.5, "b": 0.0})
    found = model.explain(rows)[0].labels[0]
    assert found.score == pytest.approx(math.tanh(1.5), abs=1e-6)
    assert found.features["a"] == 0
    for missing in ("refuse", "mean"):
        with pytest.raises(pellucid.InstanceError, match="got null; let missing='baseline' stand"):
            load(directory, missing=missing)[0].explain(rows)


def test_a_serialized_record_without_what_is_required_is_named_with_the_feature(
    directory: Path,
) -> None:
    model, _ = load(directory, method="sampled-shapley")
    with pytest.raises(pellucid.InstanceError) as stop:
        model.explain([b64(example(age=2.5)), b64(example(job=4))])
    assert str(stop.value) == (
        "instances[1]: the record lacks the feature 'age' (float), which the model requires"
    )


def test_lists_of_two_records_are_named_with_their_inputs(tmp_path: Path) -> None:
    def serve(one: Any, other: Any) -> Any:
        spec = {"ids": tf.io.VarLenFeature(tf.int64), "w": F([], tf.float32)}
        found = [tf.io.parse_example(it, spec) for it in (one, other)]
        ids = [tf.reduce_sum(tf.cast(tf.sparse.to_dense(p["ids"]), tf.float32), 1) for p in found]
        return {"y": ids[0] * found[1]["w"] + ids[1] * found[0]["w"]}

    directory = saved(tmp_path / "m", serve, texts("one"), texts("other"))
    row = {"one": {"ids": [2, 3], "w": 5.0}, "other": {"ids": 7, "w": 11.0}}
    names = {"one.ids": [11.0, 16.5], "one.w": 17.5, "other.ids": [17.5], "other.w": 27.5}
    model, _ = load(directory, method="sampled-shapley")
    features = model.explain([row])[0].labels[0].features
    assert set(features) == set(names)
    for name, value in names.items():
        np.testing.assert_allclose(features[name], value, rtol=1e-5)
    assert load(directory)[0].explain([row])[0].held == ("one.ids", "other.ids")
