"""``init-metadata --for integrated-gradients``, and then ``explain``, on ids and words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

WORDS = ["the", "cat", "sat"]
Built = tuple[Any, Any]


def _layers() -> Any:
    import keras

    keras.utils.set_random_seed(1)
    return keras


def two_ids_and_numbers() -> Built:
    """A masked sequence of ids, a single id, and numbers."""
    keras = _layers()
    made = keras.layers
    ids = keras.Input((4,), dtype="int32", name="ids")
    one = keras.Input((), dtype="int32", name="one")
    x = keras.Input((2,), name="x")
    words = made.GlobalAveragePooling1D()(made.Embedding(10, 3, mask_zero=True)(ids))
    joined = made.Concatenate()([words, made.Embedding(5, 2)(one), x])
    out = made.Dense(2, activation="softmax")(made.Dense(4, activation="tanh")(joined))
    return keras.Model([ids, one, x], out), {"ids": [1, 2, 3, 0], "one": 2, "x": [0.5, -1.0]}


def text() -> Built:
    keras = _layers()
    made = keras.layers
    words = keras.Input((), dtype="string", name="text")
    ids = made.TextVectorization(vocabulary=WORDS, output_sequence_length=5)(words)
    flat = made.Flatten()(made.Embedding(6, 3)(ids))
    return keras.Model(words, made.Dense(1, activation="sigmoid")(flat)), "the cat sat on"


def wide_and_deep() -> Built:
    """Ids are looked up in two tables, which come together in one tensor."""
    keras = _layers()
    made = keras.layers
    ids = keras.Input((3,), dtype="int32", name="ids")
    wide, deep = (made.Flatten()(made.Embedding(10, n)(ids)) for n in (1, 3))
    joined = made.Concatenate()([made.Dense(3, activation="tanh")(deep), wide])
    return keras.Model(ids, made.Dense(2, activation="softmax")(joined)), [1, 2, 3]


def hashed_and_bucketed() -> Built:
    """Strings that are hashed, and floats in buckets: no gradient reaches either."""
    keras = _layers()
    made = keras.layers
    city, age = keras.Input((1,), dtype="string", name="city"), keras.Input((1,), name="age")
    parts = [
        made.Flatten()(made.Embedding(8, 2)(made.Hashing(8)(city))),
        made.Flatten()(made.Embedding(4, 2)(made.Discretization(bin_boundaries=[20.0, 40.0])(age))),
    ]
    out = made.Dense(2, activation="softmax")(made.Concatenate()(parts))
    return keras.Model([city, age], out), {"city": ["Bonn"], "age": [33.0]}


def one_hot() -> Built:
    keras = _layers()
    made = keras.layers
    genre = keras.Input((1,), dtype="string", name="genre")
    shown = made.StringLookup(vocabulary=WORDS, output_mode="one_hot")(genre)
    joined = made.Concatenate()([shown, shown])
    return keras.Model(genre, made.Dense(2, activation="softmax")(joined)), ["cat"]


CONCAT, COMBINED, IDENTITY = "concat_embedding", "combined_embedding", "identity"
KERAS: list[tuple[Callable[[], Built], dict[str, tuple[str, list[int]]]]] = [
    (two_ids_and_numbers, {"ids": (CONCAT, [4]), "one": (COMBINED, [1]), "x": (IDENTITY, [2])}),
    (text, {"text": (CONCAT, [4])}),  # of the five, one is padding
    (wide_and_deep, {"ids": (COMBINED, [1])}),
    (hashed_and_bucketed, {"age": (CONCAT, [1]), "city": (CONCAT, [1])}),
    (one_hot, {"genre": (COMBINED, [1])}),
]


def drafted(program: Any, model: Path, instance: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draft and explain, and return the inputs of the metadata and the explanation."""
    request = model.parent / "request.json"
    request.write_text(json.dumps({"instances": [instance]}), "utf-8")
    made = program("init-metadata", model, "--for", "integrated-gradients")
    assert made.code == 0, made.err
    run = program("explain", model, request)
    assert (run.code, run.err) == (0, ""), run.err
    document = json.loads((model / "explanation_metadata.json").read_text())
    (label,) = json.loads(run.out)["explanations"][0]["attributions_by_label"]
    return document["inputs"], label


@pytest.mark.parametrize(("build", "wanted"), KERAS, ids=lambda it: getattr(it, "__name__", ""))
def test_an_export_of_keras(build: Any, wanted: Any, program: Any, tmp_path: Path) -> None:
    network, instance = build()
    network.export(tmp_path / "model", verbose=False)
    inputs, label = drafted(program, tmp_path / "model", instance)
    shapes = {name: list(np.shape(value)) for name, value in label["attributions"].items()}
    assert {name: (inputs[name]["encoding"], shapes[name]) for name in inputs} == wanted
    assert label["approx_error"] < 1e-3


def test_what_tensorflow_saves_itself(program: Any, tmp_path: Path) -> None:
    """The names are lost, the tensors are not."""
    import tensorflow as tf

    network, given = two_ids_and_numbers()
    tf.saved_model.save(network, str(tmp_path / "model"))
    instance = dict(zip(("inputs", "inputs_1", "inputs_2"), given.values(), strict=True))
    inputs, label = drafted(program, tmp_path / "model", instance)
    assert [it["encoding"] for it in inputs.values()] == [CONCAT, COMBINED, IDENTITY]
    assert all(np.abs(label["attributions"][name]).sum() > 0 for name in inputs)
    assert label["approx_error"] < 1e-3


def _version_1(directory: Path, look_up: Callable[[Any, Any], Any]) -> None:
    import tensorflow as tf

    draw = np.random.RandomState(0)
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        ids = v1.placeholder(tf.int64, [None, 4], "ids")
        table = v1.get_variable("table", initializer=draw.randn(10, 3).astype("f"))
        found = look_up(table, ids)
        weight = draw.randn(int(found.shape[1]), 2).astype("f")
        out = tf.nn.softmax(tf.tanh(found @ v1.get_variable("weight", initializer=weight)))
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(directory), {"ids": ids}, {"p": out})


def test_a_graph_of_tensorflow_1(program: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    def look_up(table: Any, ids: Any) -> Any:
        return tf.reshape(tf.nn.embedding_lookup(table, ids), [-1, 12])

    _version_1(tmp_path / "model", look_up)
    inputs, label = drafted(program, tmp_path / "model", [1, 2, 3, 4])
    assert inputs["ids"]["encoded_tensor_name"] == "embedding_lookup:0"
    assert inputs["ids"]["input_baselines"] == [0]
    assert len(label["attributions"]["ids"]) == 4
    assert label["approx_error"] < 1e-3


def test_a_feature_column_looks_distinct_ids_up(program: Any, tmp_path: Path) -> None:
    """The rows of the lookup are no instances, so that the sum behind it is named."""
    import tensorflow as tf

    def look_up(table: Any, ids: Any) -> Any:
        places = tf.where(tf.not_equal(ids, -1))
        shape = tf.shape(ids, out_type=tf.int64)
        sparse = tf.SparseTensor(places, tf.gather_nd(ids, places), shape)
        found = tf.compat.v1.nn.safe_embedding_lookup_sparse([table], sparse, combiner="mean")
        return tf.reshape(found, [-1, 3])

    _version_1(tmp_path / "model", look_up)
    inputs, label = drafted(program, tmp_path / "model", [1, 2, -1, 4])
    assert inputs["ids"]["encoding"] == COMBINED
    assert inputs["ids"]["encoded_tensor_name"] == "embedding_lookup/embedding_lookup_sparse:0"
    assert label["approx_error"] < 1e-3
