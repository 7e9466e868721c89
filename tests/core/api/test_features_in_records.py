"""Features that no tensor of the graph stands for: in loops, and in lists of any length.

They are explained in the record itself. Attributions are checked against all coalitions, as the
saved model answers to records that are written by TensorFlow's own classes.
"""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from record_models import b64, example, load, saved, shapley_values, texts

import pellucid
from pellucid.linter import draft_metadata
from pellucid.metadata.documents import dump_metadata
from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model import read

F = tf.io.FixedLenFeature
SHAPLEY = {"method": "sampled-shapley"}
TABLE = np.random.RandomState(1).randn(20, 4).astype("f")
WEIGHT = np.random.RandomState(0).randn(4, 3).astype("f")
SPEC = {"age": F([], tf.float32), "box": F([2], tf.float32), "city": F([], tf.string, "oslo")}


def network(p: Any) -> Any:
    rome = tf.cast(tf.equal(p["city"], "rome"), tf.float32)[:, None]
    return tf.nn.softmax(tf.tanh(tf.concat([p["age"][:, None], p["box"], rome], 1)) @ WEIGHT)


def scored(h: Any, w: Any) -> dict[str, Any]:
    return {"p": tf.nn.softmax(tf.tanh(h) @ WEIGHT * w[:, None])}


def parsed_in_a_loop(examples: Any) -> Any:
    kinds = {"age": tf.float32, "box": tf.float32, "city": tf.string}
    parse = tf.function(lambda one: tf.io.parse_single_example(one, SPEC))
    return {"p": network(tf.map_fn(parse, examples, fn_output_signature=kinds))}


def computed_in_a_loop(examples: Any) -> Any:
    def one(record: Any) -> Any:
        dense = tf.raw_ops.ParseSingleExample(
            serialized=record, num_sparse=0, sparse_keys=[], sparse_types=[],
            dense_keys=["age", "box", "city"], dense_shapes=[[], [2], []],
            dense_defaults=[tf.constant([], tf.float32), tf.constant([], tf.float32), tf.constant("oslo")],
        ).dense_values  # fmt: skip
        p = dict(zip(("age", "box", "city"), dense, strict=True))
        return network({name: value[None] for name, value in p.items()})[0]

    return {"p": tf.map_fn(one, examples, fn_output_signature=tf.TensorSpec([3], tf.float32))}


def ragged_words(examples: Any) -> Any:
    spec = {"words": tf.io.RaggedFeature(tf.string), "w": F([], tf.float32)}
    p = tf.io.parse_example(examples, spec)
    found = tf.gather(tf.constant(TABLE), tf.strings.to_hash_bucket_fast(p["words"], 20))
    return scored(
        tf.reduce_sum(found, 1) / (1.0 + tf.cast(found.row_lengths(), tf.float32))[:, None], p["w"]
    )


def padded_words(examples: Any) -> Any:
    """Its mean is over the longest of a batch, which company must not change."""
    words = tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True)
    p = tf.io.parse_example(examples, {"words": words, "w": F([], tf.float32)})
    found = tf.gather(tf.constant(TABLE), tf.strings.to_hash_bucket_fast(p["words"], 20))
    mean = tf.math.divide_no_nan(tf.reduce_sum(found, 1), tf.cast(tf.shape(found)[1], tf.float32))
    return scored(mean, p["w"])


def weighted_ids(examples: Any) -> Any:
    ids, weights = tf.io.VarLenFeature(tf.int64), tf.io.VarLenFeature(tf.float32)
    p = tf.io.parse_example(examples, {"ids": ids, "by": weights, "w": F([], tf.float32)})
    found = tf.nn.embedding_lookup_sparse(tf.constant(TABLE), p["ids"], p["by"], combiner="mean")
    return scored(found, p["w"])


def sparse_values(examples: Any) -> Any:
    sparse = tf.io.SparseFeature(index_key="ids", value_key="by", dtype=tf.float32, size=20)
    p = tf.io.parse_example(examples, {"sparse": sparse, "w": F([], tf.float32)})
    return scored(tf.sparse.sparse_dense_matmul(p["sparse"], tf.constant(TABLE)), p["w"])


def numbers(examples: Any) -> Any:
    more = tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
    p = tf.io.parse_example(examples, {"x": more, "w": F([], tf.float32)})
    places = tf.cast(tf.range(tf.shape(p["x"])[1]) + 1, tf.float32)
    return {"y": tf.tanh(tf.reduce_sum(p["x"] * places, 1) * p["w"])}


def loose_numbers(examples: Any) -> Any:
    """In lists that nothing fills up, a number goes to 0 and keeps its place, too."""
    loose, ragged = tf.io.VarLenFeature(tf.float32), tf.io.RaggedFeature(tf.float32)
    p = tf.io.parse_example(examples, {"by": loose, "x": ragged, "w": F([], tf.float32)})
    first = tf.sparse.reduce_sum(tf.sparse.map_values(tf.cos, p["by"]), 1)
    return {"y": tf.tanh(first * 0.3 + tf.reduce_sum(tf.cos(p["x"]), 1) * p["w"])}


WORDS, IDS, BY, X = [b"good", b"bad", b"good"], [3, 7, 9], [0.5, -2.0, 1.0], [0.5, -0.25, 0.125]


def of_dense(some: frozenset[int]) -> bytes:
    age, first, second = (v if i in some else 0.0 for i, v in enumerate([1.5, 1.0, -0.5]))
    return example(age=age, box=[first, second], city=b"rome" if 3 in some else b"")


def of_list(**lists: list[Any]) -> Any:
    count = len(next(iter(lists.values())))

    def made(some: frozenset[int]) -> bytes:
        left = {
            name: [values[i] for i in range(count) if i in some] for name, values in lists.items()
        }
        return example(w=1.5 if count in some else 0.0, **{k: v for k, v in left.items() if v})

    return made


def of_numbers(some: frozenset[int]) -> bytes:
    return example(
        x=[v if i in some else 0.0 for i, v in enumerate(X)], w=1.5 if 3 in some else 0.0
    )


def of_loose(some: frozenset[int]) -> bytes:
    lists = {"by": BY[:2], "x": X[:2]}
    left = {
        name: [v if i + 2 * k in some else 0.0 for i, v in enumerate(values)]
        for k, (name, values) in enumerate(lists.items())
    }
    return example(w=1.5 if 4 in some else 0.0, **left)


DENSE = ("age", "box", "box", "city")
CASES = {
    parsed_in_a_loop: (of_dense, DENSE),
    computed_in_a_loop: (of_dense, DENSE),
    ragged_words: (of_list(words=WORDS), ("words",) * 3 + ("w",)),
    padded_words: (of_list(words=WORDS), ("words",) * 3 + ("w",)),
    weighted_ids: (of_list(ids=IDS, by=BY), ("ids",) * 3 + ("w",)),
    sparse_values: (of_list(ids=IDS, by=BY), ("ids",) * 3 + ("w",)),
    numbers: (of_numbers, ("x",) * 3 + ("w",)),
    loose_numbers: (of_loose, ("by", "by", "x", "x", "w")),
}


@pytest.mark.parametrize("serve", CASES, ids=lambda it: it.__name__)
def test_shapley_values_are_those_of_all_coalitions(serve: Any, tmp_path: Path) -> None:
    record, names = CASES[serve]
    directory = saved(tmp_path / "m", serve, texts("examples"))
    model, said = load(directory, **SHAPLEY)
    whole = record(frozenset(range(len(names))))
    found = model.explain([b64(whole), b64(record(frozenset()))])
    label, nothing = found[0].labels[0], found[1].labels[0]
    asked = tf.saved_model.load(str(directory)).signatures["serving_default"]

    def score(some: frozenset[int]) -> float:
        # A sum over segments has no row for a record without values at the end of a batch.
        (out,) = asked(examples=tf.constant([record(some), whole])).values()
        if serve is padded_words and len(some - {3}) < 3:
            (out,) = asked(examples=tf.constant([record(some)])).values()
        return float(out.numpy()[0].reshape(-1)[label.index[0] if label.index else 0])

    expected = shapley_values(len(names), score)
    got = np.concatenate([np.ravel(label.features[it]) for it in dict.fromkeys(names)])
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert label.score == pytest.approx(score(frozenset(range(len(names)))), abs=1e-6)
    assert set(label.features) == set(names)
    assert sum(np.size(it) for it in nothing.features.values()) in (
        1,
        4,
        5,
    )  # lists are empty, or 0
    assert found[0].held == ()
    assert any("'by' goes with 'ids', value by value" in it for it in said) == ("ids" in names)


def test_numbers_of_any_length_have_gradients(tmp_path: Path) -> None:
    model, _ = load(saved(tmp_path / "m", numbers, texts("examples")), steps=50)
    rows = [{"x": X, "w": 1.5}, {"x": [0.5], "w": 2.0}, {"w": 2.0}]
    for row, explanation in zip(rows, model.explain(rows), strict=True):
        x, w = np.array(row.get("x", []), "f"), float(row["w"])
        places = np.arange(1, len(x) + 1)
        nodes, weights = np.polynomial.legendre.leggauss(50)
        slope = 0.0
        total = np.zeros(len(x))
        for a, b in zip((nodes + 1) / 2, weights / 2, strict=True):
            inner = 1 - math.tanh(a * a * w * float(x @ places)) ** 2
            total += b * inner * a * w * places * x
            slope += b * inner * a * w * float(x @ places)
        features = explanation.labels[0].features
        np.testing.assert_allclose(features["x"], total, atol=1e-5)
        assert float(features["w"]) == pytest.approx(slope, abs=1e-5)


def test_pictures_that_a_loop_decodes_of_records_are_pictures(tmp_path: Path) -> None:
    spec = {"image/encoded": F([], tf.string), "scale": F([], tf.float32, 1.0)}
    weight = np.random.RandomState(2).randn(192, 3).astype("f") / 10

    def one(record: Any) -> Any:
        p = tf.io.parse_single_example(record, spec)
        picture = tf.image.convert_image_dtype(tf.io.decode_jpeg(p["image/encoded"], 3), tf.float32)
        return tf.ensure_shape(picture, [8, 8, 3]), p["scale"]

    def serve(examples: Any) -> Any:
        kinds = tf.TensorSpec([8, 8, 3], tf.float32), tf.TensorSpec([], tf.float32)
        picture, scale = tf.map_fn(one, examples, fn_output_signature=kinds)
        return {"p": tf.nn.softmax(tf.reshape(picture, [-1, 192]) @ weight * scale[:, None])}

    out = io.BytesIO()
    Image.fromarray(np.random.RandomState(0).randint(0, 255, (8, 8, 3), np.uint8)).save(out, "JPEG")
    model, _ = load(saved(tmp_path / "m", serve, texts("examples")), steps=50)
    (found,) = model.explain([{"image/encoded": b64(out.getvalue()), "scale": 2.0}])
    features, target = found.labels[0].features, found.labels[0].index[0]
    pixels = tf.image.convert_image_dtype(tf.io.decode_jpeg(out.getvalue(), 3), tf.float32)
    total = 0
    nodes, weights = np.polynomial.legendre.leggauss(50)
    for a, b in zip((nodes + 1) / 2, weights / 2, strict=True):
        point = pixels * a
        with tf.GradientTape() as tape:
            tape.watch(point)
            p = tf.nn.softmax(tf.reshape(point, [1, 192]) @ weight * (2.0 * a))[0, target]
        total = total + b * tape.gradient(p, point) * pixels
    np.testing.assert_allclose(features["image/encoded"], total, atol=1e-5)
    assert model.metadata.inputs[0].modality.value == "image"


def test_a_draft_names_features_of_the_record_and_is_explained(tmp_path: Path) -> None:
    directory = saved(tmp_path / "m", computed_in_a_loop, texts("examples"))
    draft = draft_metadata(read(directory), for_method="sampled-shapley")
    written = json.dumps(dump_metadata(draft.metadata))
    assert written.count('"serving_default_examples:0"') == 3
    (tmp_path / "m.json").write_text(written)
    model, said = load(directory, metadata=tmp_path / "m.json", **SHAPLEY)
    inferred, _ = load(directory)  # no gradient reaches anything: it is Shapley's turn
    row = {"age": 1.5, "box": [1.0, -0.5]}  # the city is the parser's default
    one, other = model.explain([row])[0], inferred.explain([row])[0]
    for name, value in one.labels[0].features.items():
        np.testing.assert_array_equal(value, other.labels[0].features[name])
    assert float(one.labels[0].features["city"]) == 0
    assert said == []
    with pytest.raises(pellucid.SpecError, match="no gradient reaches 'age', 'box', 'city'"):
        draft_metadata(read(directory), for_method="integrated-gradients")


def test_gradients_hold_lists_and_name_them_with_what_goes_with_them(tmp_path: Path) -> None:
    model, said = load(saved(tmp_path / "m", weighted_ids, texts("examples")))
    found = model.explain([{"ids": IDS, "by": BY, "w": 1.5}, {"w": 1.5}])
    assert [it.held for it in found] == [("ids", "by")] * 2
    assert any("'ids', which no gradient reaches; and 'by', which" in it for it in said)
    assert found[1].labels[0].score == pytest.approx(1 / 3, abs=1e-6)


def test_a_batch_may_end_with_an_empty_text_or_without_ids(tmp_path: Path) -> None:
    def serve(text: Any, ids: Any) -> Any:
        cut = tf.compat.v1.string_split(text)
        hashed = tf.strings.to_hash_bucket_fast(cut.values, 20)
        words = tf.SparseTensor(cut.indices, hashed, cut.dense_shape)
        found = [
            tf.nn.embedding_lookup_sparse(tf.constant(TABLE), it, None, combiner="sum")
            for it in (words, tf.sparse.from_dense(ids))
        ]
        return {"y": tf.reduce_sum(found[0] + found[1], 1)}

    specs = texts("text"), tf.TensorSpec([None, 3], tf.int64, "ids")
    model, _ = load(saved(tmp_path / "m", serve, *specs), **SHAPLEY)
    rows = [{"text": "a good bad film", "ids": [3, 0, 7]}, {"text": "", "ids": [0, 0, 0]}]
    whole, nothing = model.explain(rows)
    sums = TABLE.sum(axis=1)
    places = tf.strings.to_hash_bucket_fast(["a", "good", "bad", "film"], 20).numpy()
    np.testing.assert_allclose(whole.labels[0].features["text"], sums[places], atol=1e-5)
    np.testing.assert_allclose(
        whole.labels[0].features["ids"], sums[[3, 0, 7]] * [1, 0, 1], atol=1e-5
    )
    assert nothing.labels[0].score == 0
