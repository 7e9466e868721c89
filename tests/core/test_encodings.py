"""Every encoding, in a SavedModel: integrated gradients by a tape, Shapley values by all subsets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import combinations
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo import Net, export, float_rows, metadata, normal

import pellucid
from pellucid.errors import SpecError
from pellucid.quiet_tensorflow import tf

NET = Net()
TABLE = normal(7, 4)
WORDS = np.array([[5, 2, 1], [0, 6, 2]])
NAMES = ["a", "b", "c", "d"]
SHAPLEY, GRADIENTS = "sampled-shapley", "integrated-gradients"


def save(
    directory: Path,
    serve: Callable[..., Any],
    inputs: Mapping[str, Any],
    *tracked: Any,
    **specs: tf.TensorSpec,
) -> Path:
    export(directory, serve, [NET, *tracked], **specs)
    (directory / "explanation_metadata.json").write_text(json.dumps(metadata(inputs, "out")))
    return directory


def explained(directory: Path, instances: Any, method: str, target: int = 1) -> list[Any]:
    model = pellucid.load(directory, method=method, warn=lambda _: None)
    found = model.explain(instances, output_indices=[target])
    return [one.labels[0] for one in found]


def path_integral(function: Callable[[Any], Any], stop: np.ndarray, start: Any = 0.0) -> np.ndarray:
    """Integrated gradients of output 1 of one point, by a tape and 200 midpoints."""
    stop = np.asarray(stop, np.float32)
    step = stop - np.float32(start)
    total = np.zeros(stop.shape)
    for a in (np.arange(200) + 0.5) / 200:
        point = tf.constant((start + a * step).astype(np.float32))
        with tf.GradientTape() as tape:
            tape.watch(point)
            score = tf.reshape(function(point), [-1])[1]
        total += np.asarray(tape.gradient(score, point), np.float64) / 200
    return np.asarray(total * step)


def shapley(score: Callable[[np.ndarray], float], players: int) -> np.ndarray:
    """Shapley values by the definition, over all subsets."""
    values = np.zeros(players)
    for i in range(players):
        others = [k for k in range(players) if k != i]
        for size in range(players):
            weight = factorial(size) * factorial(players - size - 1) / factorial(players)
            for subset in combinations(others, size):
                mask = np.isin(np.arange(players), subset)
                values[i] += weight * (score(mask | (np.arange(players) == i)) - score(mask))
    return values


def close(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(got, expected, rtol=2e-3, atol=2e-5)


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
