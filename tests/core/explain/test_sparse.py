"""Sparse inputs as three tensors, with and without weights, in a SavedModel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encodings_of_inputs import (
    GRADIENTS,
    NAMES,
    NET,
    SHAPLEY,
    TABLE,
    close,
    explained,
    path_integral,
    save,
    shapley,
)

import pellucid
from pellucid.errors import SpecError
from pellucid.runtime.engine.tensorflow import tf

TRIPLET = {
    "values": tf.TensorSpec([None], tf.int64),
    "indices": tf.TensorSpec([None, 2], tf.int64),
    "shape": tf.TensorSpec([2], tf.int64),
}
WORDS = {
    "input_tensor_name": "values",
    "indices_tensor_name": "indices",
    "dense_shape_tensor_name": "shape",
}
WEIGHTS = {
    "weight_values_name": "w_values",
    "weight_indices_name": "w_indices",
    "weight_dense_shape_name": "w_shape",
}


def instance(ids: Any, weights: Any = None, places: Any = None, width: int = 9) -> dict[str, Any]:
    places = range(len(ids)) if places is None else places
    at = {"indices": [[0, k] for k in places], "shape": [1, width]}
    made = {"values": list(ids), **at}
    if weights is not None:
        made |= {"w_values": list(weights), **{f"w_{key}": value for key, value in at.items()}}
    return made


def combine(ids: Any, weights: Any = None) -> Any:
    rows = tf.gather(TABLE, ids)
    return tf.reduce_sum(rows if weights is None else rows * np.asarray(weights)[:, None], 0)


def words_model(directory: Path, weighted: bool, **feature: Any) -> Path:
    def serve(**t: Any) -> Any:
        ids = tf.SparseTensor(t["indices"], t["values"], t["shape"])
        weights = tf.SparseTensor(t["w_indices"], t["w_values"], t["w_shape"]) if weighted else None
        summed = tf.nn.embedding_lookup_sparse(TABLE, ids, weights, combiner="sum")
        return {"out": NET(tf.identity(summed, name="encoded"))}

    specs = dict(TRIPLET)
    if weighted:
        specs |= {f"w_{name}": spec for name, spec in TRIPLET.items()}
        specs["w_values"] = tf.TensorSpec([None], tf.float32)
    given = {**WORDS, **(WEIGHTS if weighted else {}), **feature}
    embedding = {"encoded_tensor_name": "encoded", "encoding": "combined_embedding"}
    return save(directory, serve, {"words": {**given, **embedding}}, **specs)


def test_a_combined_embedding_is_one_value(tmp_path: Path) -> None:
    """Instances of any number of words, in one request; each is a batch of one to the model."""
    words_model(tmp_path, weighted=False)
    every = [[5, 2, 1], [0], [6, 6, 3, 4]]
    for label, ids in zip(
        explained(tmp_path, [instance(ids) for ids in every], GRADIENTS), every, strict=True
    ):
        total = path_integral(lambda v: NET(v[None]), np.asarray(combine(ids))).sum()
        close(label.features["words"], [total])
        assert label.index == (1,)  # and not that of a matrix of one row


def test_it_is_split_by_the_weights_when_they_are_given(tmp_path: Path) -> None:
    """Two instances of one shape and different weights: each has its own."""
    words_model(tmp_path, weighted=True)
    ids, every = [5, 2, 1], [[0.5, 2.0, 1.0], [1.0, -0.25, 3.0]]
    instances = [instance(ids, weights) for weights in every]
    for label, weights in zip(explained(tmp_path, instances, GRADIENTS), every, strict=True):
        point = np.asarray(combine(ids, np.float32(weights)))
        total = path_integral(lambda v: NET(v[None]), point).sum()
        close(label.features["words"], total * np.array(weights) / sum(weights))
        assert label.features["words"].sum() == pytest.approx(total, rel=2e-3)


def test_weights_that_cancel_out_split_in_equal_parts(tmp_path: Path) -> None:
    words_model(tmp_path, weighted=True)
    (label,) = explained(tmp_path, [instance([5, 2], [1.0, -1.0])], GRADIENTS)
    first, second = label.features["words"]
    assert first == second != 0


def test_a_baseline_goes_through_the_encoder_with_the_weights_of_its_instance(
    tmp_path: Path,
) -> None:
    words_model(tmp_path, weighted=True, input_baselines=[4])
    ids, every = [5, 2, 1], [[0.5, 2.0, 1.0], [1.0, -0.25, 3.0]]
    instances = [instance(ids, weights) for weights in every]
    for label, weights in zip(explained(tmp_path, instances, GRADIENTS), every, strict=True):
        start = np.asarray(combine([4, 4, 4], np.float32(weights)))
        stop = np.asarray(combine(ids, np.float32(weights)))
        assert label.baseline_score == pytest.approx(float(NET(start[None])[0, 1]), rel=1e-5)
        close(
            label.features["words"].sum(), path_integral(lambda v: NET(v[None]), stop, start).sum()
        )


@pytest.mark.parametrize("weighted", [True, False])
def test_shapley_values_are_those_of_each_word(weighted: bool, tmp_path: Path) -> None:
    words_model(tmp_path, weighted=weighted)
    weights = [0.5, 2.0, 1.0] if weighted else None
    ids = np.array([5, 2, 1])

    def score(mask: np.ndarray) -> float:
        chosen = np.where(mask, ids, 0)  # the default baseline, which here is a word of its own
        return float(
            NET(combine(chosen, None if weights is None else np.float32(weights))[None])[0, 1]
        )

    (label,) = explained(tmp_path, [instance(ids.tolist(), weights)], SHAPLEY)
    close(label.features["words"], shapley(score, 3))


BAG = {"encoding": "bag_of_features_sparse", "index_feature_mapping": NAMES}


def numbers_model(directory: Path, **feature: Any) -> Path:
    def serve(values: Any, indices: Any, shape: Any) -> Any:
        dense = tf.scatter_nd(indices, values, shape)
        return {"out": NET(tf.identity(tf.ensure_shape(dense, [None, 4]), name="dense"))}

    specs = {**TRIPLET, "values": tf.TensorSpec([None], tf.float32)}
    return save(directory, serve, {"x": {**WORDS, **feature}}, **specs)


VALUES, PLACES = [0.5, -1.5, 2.0], [0, 1, 3]
DENSE = np.array([0.5, -1.5, 0.0, 2.0])


@pytest.mark.parametrize("encoding", ["bag_of_features_sparse", "bag_of_features", "indicator"])
def test_gradients_of_a_bag_are_those_of_every_name(encoding: str, tmp_path: Path) -> None:
    numbers_model(tmp_path, **{**BAG, "encoding": encoding}, encoded_tensor_name="dense")
    (label,) = explained(tmp_path, [instance(VALUES, places=PLACES, width=4)], GRADIENTS)
    expected = path_integral(lambda v: NET(v[None]), DENSE)
    if encoding == "indicator":
        close(label.features["x"], expected)
    else:
        assert list(label.features) == NAMES
        close(np.concatenate(list(label.features.values())), expected)


@pytest.mark.parametrize("encoding", ["bag_of_features_sparse", "indicator", "identity"])
def test_shapley_values_of_a_bag_find_their_names_by_the_indices(
    encoding: str, tmp_path: Path
) -> None:
    """In any order of the values; of what is not there, a bag says nothing."""
    names = {} if encoding == "identity" else {"index_feature_mapping": NAMES}
    numbers_model(tmp_path, encoding=encoding, **names)
    order = [2, 0, 1]
    turned = instance([VALUES[i] for i in order], places=[PLACES[i] for i in order], width=4)

    def score(mask: np.ndarray) -> float:
        x = np.zeros(4)
        x[PLACES] = np.where(mask, VALUES, 0)
        return float(NET(tf.constant(x[None].astype(np.float32)))[0, 1])

    expected = shapley(score, 3)
    straight = instance(VALUES, places=PLACES, width=4)
    for one, places in ((straight, [0, 1, 2]), (turned, order)):
        (label,) = explained(tmp_path, [one], SHAPLEY)
        if encoding == "identity":
            close(label.features["x"], expected[places])
        elif encoding == "indicator":
            close(label.features["x"], [*expected[:2], 0, expected[2]])
        else:
            assert list(label.features) == ["a", "b", "d"]
            close(np.concatenate(list(label.features.values())), expected)


def test_a_value_without_a_name_is_refused(tmp_path: Path) -> None:
    numbers_model(tmp_path, **{**BAG, "index_feature_mapping": NAMES[:3]})
    with pytest.raises(SpecError, match=r"inputs\.x: a value has the index 3, and .* has 3 names"):
        explained(tmp_path, [instance(VALUES, places=PLACES, width=4)], SHAPLEY)


@pytest.mark.parametrize("batch_axis", [True, False])
def test_a_concatenated_embedding_of_a_sparse_input(batch_axis: bool, tmp_path: Path) -> None:
    """One value for each word, whether or not the encoded tensor has an axis for the batch."""

    def serve(values: Any, indices: Any, shape: Any) -> Any:
        rows = tf.gather(TABLE, values)
        encoded = tf.identity(rows[None] if batch_axis else rows, name="encoded")
        summed = tf.reduce_sum(tf.sin(tf.reshape(encoded, [-1, 4])), 0, keepdims=True)
        return {"out": NET(summed + 0.0 * tf.cast(tf.size(indices) + tf.size(shape), tf.float32))}

    embedding = {"encoded_tensor_name": "encoded", "encoding": "concat_embedding"}
    save(tmp_path, serve, {"words": {**WORDS, **embedding}}, **TRIPLET)
    ids = [5, 2, 1]
    (label,) = explained(tmp_path, [instance(ids)], GRADIENTS)
    total = path_integral(lambda v: NET(tf.reduce_sum(tf.sin(v), 0)[None]), TABLE[ids])
    close(label.features["words"], total.sum(axis=1))


def test_the_response_of_a_sparse_input(tmp_path: Path) -> None:
    words_model(tmp_path, weighted=True)
    model = pellucid.load(tmp_path, warn=lambda _: None)
    body = json.loads(model.explain([instance([5, 2], [1.0, 3.0])]).json())
    ((label,),) = [one["attributions_by_label"] for one in body["explanations"]]
    assert len(label["attributions"]["words"]) == 2
    assert isinstance(label["label_index"], int)


def test_numbers_in_a_sparse_input_have_gradients_of_their_own(tmp_path: Path) -> None:
    """The services wanted an encoded tensor; where the values are numbers there is no need."""
    numbers_model(tmp_path, **BAG)
    (label,) = explained(tmp_path, [instance(VALUES, places=PLACES, width=4)], GRADIENTS)
    expected = path_integral(lambda v: NET(v[None]), DENSE)
    assert list(label.features) == ["a", "b", "d"]
    close(np.concatenate(list(label.features.values())), expected[PLACES])
