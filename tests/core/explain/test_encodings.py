"""Every encoding, in a SavedModel: integrated gradients by a tape, Shapley values by all subsets."""

from __future__ import annotations

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
    WORDS,
    close,
    explained,
    path_integral,
    save,
    shapley,
)
from zoo import float_rows, normal

from pellucid.errors import SpecError
from pellucid.runtime.engine.tensorflow import tf

X = normal(2, 4, seed=5)


def of_numbers(x: np.ndarray) -> float:
    return float(NET(tf.constant(x[None].astype(np.float32)))[0, 1])


@pytest.mark.parametrize("method", [GRADIENTS, SHAPLEY])
@pytest.mark.parametrize(
    "encoding", ["identity", "bag_of_features", "bag_of_features_sparse", "indicator"]
)
def test_numbers(encoding: str, method: str, tmp_path: Path) -> None:
    names = {} if encoding == "identity" else {"index_feature_mapping": NAMES}
    inputs = {"x": {"input_tensor_name": "x", "encoding": encoding, **names}}
    save(tmp_path, lambda x: {"out": NET(x)}, inputs, x=float_rows(4))
    for label, x in zip(explained(tmp_path, X, method), X, strict=True):
        expected = (
            path_integral(lambda v: NET(v[None]), x)
            if method == GRADIENTS
            else shapley(lambda mask, x=x: of_numbers(np.where(mask, x, 0)), 4)  # type: ignore[misc]
        )
        if encoding in ("identity", "indicator"):
            assert list(label.features) == ["x"]
            close(label.features["x"], expected)
        else:
            assert list(label.features) == NAMES
            assert [value.shape for value in label.features.values()] == [(1,)] * 4
            close(np.concatenate(list(label.features.values())), expected)


def embedded(ids: Any, combined: bool) -> Any:
    rows = tf.gather(TABLE, ids)
    if combined:
        return tf.identity(tf.reduce_mean(rows, 1), name="encoded")
    return tf.identity(rows, name="encoded")


def after(encoded: Any, combined: bool) -> Any:
    return NET(encoded if combined else tf.reduce_mean(tf.sin(encoded), 1))


@pytest.mark.parametrize("baseline", [None, [3], "encoded"])
@pytest.mark.parametrize("combined", [True, False])
def test_gradients_of_an_embedding(combined: bool, baseline: Any, tmp_path: Path) -> None:
    """A combined one is one value, of a concatenated one each word has its own.

    A baseline is 0 in the encoded space, or words that go through the encoder, or lies there.
    """
    encoding = "combined_embedding" if combined else "concat_embedding"
    given = {"input_baselines": [[3, 3, 3]]} if baseline == [3] else {}
    if baseline == "encoded":
        given = {"encoded_baselines": [0.25]}
    names = {"input_tensor_name": "ids", "encoded_tensor_name": "encoded", "encoding": encoding}
    save(
        tmp_path,
        lambda ids: {"out": after(embedded(ids, combined), combined)},
        {"ids": {**names, **given}},
        ids=float_rows(3, dtype=tf.int64),
    )
    for label, ids in zip(explained(tmp_path, WORDS, GRADIENTS), WORDS, strict=True):
        rows = TABLE[ids].mean(0) if combined else TABLE[ids]
        start: Any = 0.0
        if baseline is not None:
            start = np.broadcast_to(0.25 if baseline == "encoded" else TABLE[3], rows.shape)
        total = path_integral(lambda v: after(v[None], combined), rows, start)
        close(label.features["ids"], [total.sum()] if combined else total.sum(axis=-1))
        assert label.features["ids"].shape == ((1,) if combined else (3,))


@pytest.mark.parametrize("combined", [True, False])
def test_shapley_values_of_words_have_the_shape_of_the_words(combined: bool, tmp_path: Path) -> None:  # fmt: skip
    encoding = "combined_embedding" if combined else "concat_embedding"
    names = {"input_tensor_name": "ids", "encoded_tensor_name": "encoded", "encoding": encoding}
    save(
        tmp_path,
        lambda ids: {"out": after(embedded(ids, combined), combined)},
        {"ids": {**names, "input_baselines": [4]}},
        ids=float_rows(3, dtype=tf.int64),
    )
    for label, ids in zip(explained(tmp_path, WORDS, SHAPLEY), WORDS, strict=True):

        def score(mask: np.ndarray, ids: np.ndarray = ids) -> float:
            rows = embedded(tf.constant(np.where(mask, ids, 4)[None]), combined)
            return float(after(rows, combined)[0, 1])

        close(label.features["ids"], shapley(score, 3))


@pytest.mark.parametrize("method", [GRADIENTS, SHAPLEY])
def test_a_group_of_inputs_of_different_shape(method: str, tmp_path: Path) -> None:
    """A vector, a number and words behind an embedding; two groups, and one that stands alone."""
    kernel = normal(3, 4)

    def network(x: Any, words: Any, n: Any, alone: Any) -> Any:
        return NET(tf.tanh(x @ kernel) + words * n[:, None] + alone)

    def serve(x: Any, ids: Any, n: Any, alone: Any) -> Any:
        words = tf.identity(tf.reduce_sum(tf.gather(TABLE, ids), 1), name="encoded")
        return {"out": network(x, words, n, alone)}

    words = {"encoded_tensor_name": "encoded", "encoding": "combined_embedding"}
    inputs = {
        "x": {"input_tensor_name": "x", "group_name": "g"},
        "ids": {"input_tensor_name": "ids", **words, "group_name": "g"},
        "n": {"input_tensor_name": "n", "group_name": "h"},
        "alone": {"input_tensor_name": "alone"},
    }
    save(
        tmp_path, serve, inputs, x=float_rows(3), ids=float_rows(2, dtype=tf.int64),
        n=float_rows(), alone=float_rows(4),
    )  # fmt: skip
    x, ids, n, alone = normal(3), np.array([6, 2]), np.float32(0.7), normal(4, seed=2)
    instance = {"x": x.tolist(), "ids": ids.tolist(), "n": float(n), "alone": alone.tolist()}
    (label,) = explained(tmp_path, [instance], method)
    assert list(label.features) == ["g", "h", "alone"]
    shapes = [value.shape for value in label.features.values()]
    assert shapes == [(1,), (1,), (4,)]
    if method == GRADIENTS:
        whole = np.concatenate([x, TABLE[ids].sum(0), [n], alone])

        def along(v: Any) -> Any:
            return network(v[None, :3], v[None, 3:7], v[7:8], v[None, 8:])

        parts = path_integral(along, whole)
        close(label.features["g"], [parts[:7].sum()])
        close(label.features["h"], [parts[7]])
        close(label.features["alone"], parts[8:])
        return

    def score(mask: np.ndarray) -> float:
        chosen = np.where(mask[0], ids, 0)
        rows = [
            np.where(mask[0], x, 0)[None],
            TABLE[chosen].sum(0)[None],
            np.where(mask[1], n, 0)[None].astype(np.float32),
            np.where(mask[2:], alone, 0)[None].astype(np.float32),
        ]
        return float(network(*(tf.constant(row.astype(np.float32)) for row in rows))[0, 1])

    values = shapley(score, 6)
    close(label.features["g"], [values[0]])
    close(label.features["h"], [values[1]])
    close(label.features["alone"], values[2:])


def test_names_that_are_not_as_many_as_the_attributions_are_refused(tmp_path: Path) -> None:
    inputs = {
        "x": {
            "input_tensor_name": "x",
            "encoding": "bag_of_features",
            "index_feature_mapping": ["a", "b", "c"],
        }
    }
    save(tmp_path, lambda x: {"out": NET(x[:, :4])}, inputs, x=float_rows(None))
    with pytest.raises(
        SpecError, match=r"^inputs\.x: index_feature_mapping has 3 names, and the explained tensor"
    ):
        explained(tmp_path, X, GRADIENTS)
