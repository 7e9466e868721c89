"""A network of many named inputs answers as the formula that it is, however they are joined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.methods.integrated_gradients import integrated_gradients
from pellucid.runtime.engine.tensorflow import tf

# Not in the order of the alphabet, in which a signature has them.
NAMES = ["f9", "f10", "b", "z", "a", "c", "m", "d", "f1", "k"]
WEIGHTS = np.random.default_rng(0).normal(size=(len(NAMES), 3)).astype(np.float32)


def saved(path: Path, kind: str) -> Any:
    """A model of ten columns x: tanh(x W), of which one may be read beside, or stop gradients."""

    class Net(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 1], name=name) for name in NAMES])
        def score(self, *columns: Any) -> Any:
            given = [*columns]
            if kind == "stopped":
                given[3] = tf.stop_gradient(given[3])
            found = tf.tanh(tf.concat(given, 1) @ WEIGHTS)
            if kind == "beside":
                found = found + columns[4] ** 3
            return {"scores": found}

    net = Net()
    tf.saved_model.save(net, str(path), signatures=net.score)
    return pellucid.load(path, warn=lambda notice: None).explainer.model


def gradient(kind: str, x: Any, target: int) -> Any:
    """∇ tanh(x W)_t = (1 − tanh²) W_t, and 3 a² of what is beside; float64 [n, 10]."""
    found = (1 - np.tanh(x @ WEIGHTS[:, target]) ** 2)[:, None] * WEIGHTS[:, target]
    if kind == "beside":
        found[:, 4] += 3 * x[:, 4] ** 2
    return found


@pytest.mark.parametrize("kind", ["plain", "beside", "stopped"])
def test_attributions_are_those_of_the_formula(kind: str, tmp_path: Path) -> None:
    model = saved(tmp_path / "model", kind)
    x = np.random.default_rng(1).normal(size=(5, len(NAMES)))
    given = {name: x[:, [i]].astype(np.float32) for i, name in enumerate(NAMES)}
    zero = {name: np.zeros((1, 1), np.float32) for name in NAMES}
    found = integrated_gradients(model, given, [zero], np.full(5, 2)).values
    nodes, weights = np.polynomial.legendre.leggauss(50)
    moved = np.array([kind != "stopped" or name != "z" for name in NAMES])

    def point(node: float) -> Any:  # what no gradient reaches is held at the instance
        return np.where(moved, (node + 1) / 2 * x, x)

    slopes = (
        w / 2 * gradient(kind, point(node), 2) for node, w in zip(nodes, weights, strict=True)
    )
    expected = sum(slopes) * x
    reached = [name for name in NAMES if kind != "stopped" or name != "z"]
    assert set(found) == set(reached) == set(model.differentiable)
    for i, name in enumerate(NAMES):
        if name in reached:
            np.testing.assert_allclose(found[name][:, 0], expected[:, i], atol=1e-5)
    assert model.traces == {"outputs": 1, "path_gradient": 1}


@pytest.mark.parametrize("kind", ["plain", "beside", "stopped"])
def test_scores_are_those_of_the_formula(kind: str, tmp_path: Path) -> None:
    model = saved(tmp_path / "model", kind)
    x = np.random.default_rng(2).normal(size=(7, len(NAMES))).astype(np.float32)
    beside = x[:, [4]] ** 3 if kind == "beside" else 0
    found = model.outputs({name: x[:, [i]] for i, name in enumerate(NAMES)})
    np.testing.assert_allclose(found, np.tanh(x @ WEIGHTS) + beside, atol=1e-5)


def test_joined_features_have_the_attributions_that_they_have_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pellucid.metadata import IntegratedGradients

    model = saved(tmp_path / "model", "plain")
    x = np.random.default_rng(3).normal(size=(4, len(NAMES))).astype(np.float32)
    given = {name: x[:, [i]] for i, name in enumerate(NAMES)}
    # One of the baselines differs from row to row in one feature.
    ones = {name: np.ones((4 if name == "c" else 1, 1), np.float32) for name in NAMES}
    zero = {name: np.zeros((1, 1), np.float32) for name in NAMES}
    asked = (model, given, [zero, ones], np.array([0, 1, 2, 0]))
    for method in (
        IntegratedGradients(step_count=20, errors=True),
        IntegratedGradients(tolerance=0.01),
    ):
        monkeypatch.undo()
        together = integrated_gradients(*asked, method)
        monkeypatch.setattr("pellucid.methods.integrated_gradients.side_by_side", lambda *_: None)
        alone = integrated_gradients(*asked, method)
        for name in NAMES:
            np.testing.assert_allclose(together.values[name], alone.values[name], atol=1e-6)
        for key, value in alone.diagnostics.items():
            np.testing.assert_allclose(together.diagnostics[key], value, atol=1e-6)
        np.testing.assert_array_equal(together.evaluations, alone.evaluations)
