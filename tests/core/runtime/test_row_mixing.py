"""Rows that depend on each other are found by asking at most two of them, and those that do not not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo import Net, export, float_rows, normal

import pellucid
from pellucid.notices import Message
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.row_mixing import Question

Rows = Any
WEIGHTS = normal(4, 3)


def net(x: Rows) -> Rows:
    return np.tanh(x @ WEIGHTS)


def softmax(x: Rows, axis: int) -> Rows:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


MIXING: dict[str, Callable[[Rows], Rows]] = {
    "softmax over the batch": lambda x: softmax(net(x), 0),
    "mean of the batch": lambda x: net(x - x.mean(0)),
    "largest of the batch": lambda x: net(x / np.abs(x).max()),
    "norm of the batch": lambda x: net(x / np.linalg.norm(x)),
    "running sum": lambda x: net(np.cumsum(x, axis=0)),
    "ranks in the batch": lambda x: net(x + np.argsort(np.argsort(x, 0), 0)),
    "reversed": lambda x: net(x[::-1]),
    "first row": lambda x: net(x + x[:1]),
    "size of the batch": lambda x: net(x * len(x)),
    "distinct values": lambda x: net(x) + len(np.unique(x.round(1))),
    "sum decides": lambda x: net(x) if x.sum() > 0 else -net(x),
    "far sum decides": lambda x: net(x) if x.sum() < 250 else -net(x),
}
APART: dict[str, Callable[[Rows], Rows]] = {
    "network": net,
    "softmax over classes": lambda x: softmax(net(x), 1),
    "norm of a row": lambda x: net(x / np.linalg.norm(x, axis=1, keepdims=True)),
    "sorted within rows": lambda x: net(np.sort(x, axis=1)),
    "branches of rows": lambda x: net(np.where(x.sum(1, keepdims=True) > 0, x, -x)),
    "infinite": lambda x: np.where(x[:, :1] > 0, net(x), -np.inf),
    "rounded by the batch": lambda x: net(x) * np.float32(1 + 1e-6 * len(x)),
}


def looked_at(function: Callable[[Rows], Rows], x: Rows, conditional: bool) -> tuple[bool, int]:
    """Whether rows are found to mix, and how many were asked for that."""
    asked = 0

    def ask(rows: Rows) -> Rows:
        nonlocal asked
        asked += len(rows["x"])
        return {"y": function(rows["x"])}

    question = Question(
        ask=ask, single=(), restless=False, conditional=conditional, half=lambda: False
    )
    found = {"y": function(x)}
    return question.mixes_rows({"x": x}, found, len(x), None), asked


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("kind", [*MIXING, *APART])
def test_rows_that_mix_are_found_with_two_rows(kind: str, n: int) -> None:
    decides = "decides" in kind  # the graph has a condition, which some company only changes
    for seed in range(3):
        x = normal(n, 4, seed=seed)
        mixes, asked = looked_at({**MIXING, **APART}[kind], x, decides)
        assert mixes == (kind in MIXING)
        assert asked <= (10 if decides else 2)


def test_the_last_row_is_asked_alone_as_well() -> None:
    x = normal(3, 4)
    assert looked_at(lambda x: net(x + np.flip(x, 0)[:1]), x, False) == (True, 1)
    assert looked_at(lambda x: net(x + x[:1]), x, False)[0]


def test_equal_rows_tell_nothing_and_are_put_beside_others() -> None:
    x = np.ones((2, 4), np.float32)
    assert looked_at(MIXING["mean of the batch"], x, False) == (True, 2)
    assert looked_at(net, x, False) == (False, 2)


def test_half_precision_is_given_its_rounding() -> None:
    def half(x: Rows) -> Rows:
        return net(x) * (1 + 1e-2 * (len(x) > 1))

    x = normal(1, 4)
    question = Question(
        ask=lambda rows: {"y": half(rows["x"])},
        single=(),
        restless=False,
        conditional=False,
        half=lambda: True,
    )
    assert not question.mixes_rows({"x": x}, {"y": half(x)}, 1, None)
    assert looked_at(half, x, False)[0]


# Of TensorFlow


@pytest.fixture(scope="module")
def condition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A condition on the batch's sum: two rows that are far apart go another way together."""
    directory, network = tmp_path_factory.mktemp("condition"), Net()
    export(
        directory,
        lambda x: tf.cond(tf.reduce_sum(x) > 30.0, lambda: network(x), lambda: network(-x)),
        network,
        x=float_rows(4),
    )
    return directory


def test_each_row_is_asked_alone_with_one_warning(condition: Path) -> None:
    heard: list[Message] = []
    model = pellucid.load(condition, warn=heard.append, steps=20)
    rows = np.array([[1, 2, 3, 4], [9, 9, 9, 9], [-1, 0, 0, 1]], np.float32)
    together = model.explain(rows)
    assert model.explainer.model.mixes_rows
    assert sum("depends on the rows beside it" in str(it) for it in heard) == 1
    for row, found in zip(rows, together, strict=True):
        (alone,) = pellucid.load(condition, warn=lambda _: None, steps=20).explain([row])
        assert found.labels[0].index == alone.labels[0].index
        np.testing.assert_array_equal(found.labels[0].values["x"], alone.labels[0].values["x"])


def test_normalization_in_training_mode_is_found_and_a_plain_network_is_not(tmp_path: Path) -> None:
    norm, network = tf.keras.layers.BatchNormalization(), Net()
    norm(tf.zeros([1, 4]))
    for training, name in ((True, "training"), (False, "inference")):
        directory = tmp_path / name
        export(
            directory,
            lambda x, training=training: network(norm(x, training=training)),
            [network, *norm.variables],
            x=float_rows(4),
        )
        heard: list[Message] = []
        model = pellucid.load(directory, warn=heard.append, steps=4)
        model.explain(normal(2, 4))
        assert model.explainer.model.mixes_rows is training
        assert any("depends on the rows beside it" in str(it) for it in heard) is training
