"""Several outputs of one instance: the network goes forward once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo_keras
from zoo import Sample, normal

import pellucid
from pellucid.model import ContrastModel
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.shared_rows import alike, shared_by

assert zoo_keras  # it fills the zoo
Built = Callable[[str], tuple[Path, Sample]]
ROWS, TARGETS = 3, np.array([2, 0, 1])


def test_rows_are_alike_if_all_of_their_bits_are() -> None:
    x = np.arange(1000.0).repeat(4).reshape(1000, 4).T.copy()  # four times the same
    x[2, 1] += 1e-12  # between what is glanced at
    words = np.array([[b"a"], [b"a"], [b"a"], [b"b"]], object)
    empty = np.zeros((4, 0))
    assert alike([x, empty]).tolist() == [0, 0, 1, 0]
    assert alike([x, words]).tolist() == [0, 0, 1, 2]
    assert alike([empty]).tolist() == [0, 0, 0, 0]
    assert alike([x[:1]]).tolist() == [0]


def test_targets_of_one_point_are_asked_once_each() -> None:
    x, other = np.array([5.0, 7.0, 5.0, 5.0, 5.0]), np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    shared = shared_by([x], [other], np.array([2, 0, 1, 2, 1]))
    assert shared.first.tolist() == [0, 1, 4]
    groups = [(first.tolist(), shared.target[at].tolist()) for first, at in shared.groups()]
    assert groups == [([1, 4], [[0], [1]]), ([0], [[1, 2]])]
    targets, (owner, column) = shared.padded()
    assert targets[owner, column].tolist() == [2, 0, 1, 2, 1]


@pytest.fixture
def model(built: Built) -> Any:
    directory, _ = built("keras_dense")
    return pellucid.load(directory, warn=lambda sentence: None).explainer.model


def asked(model: Any, x: Any) -> tuple[Any, Any, Any]:
    """Ask for all targets of each instance."""
    ends = {"x": np.repeat(x, len(TARGETS), axis=0)}
    start, target = {"x": ends["x"] * 0 + 0.1}, np.tile(TARGETS, len(x))
    nodes, weights = np.linspace(0, 1, 5), np.ones(5) / 5
    masks = {"x": np.random.default_rng(0).random((6, x.shape[1])) < 0.5}
    return (
        model.outputs(ends),
        model.path_gradient(start, ends, nodes, weights, target)["x"],
        model.coalition_scores(ends, start, masks, target),
    )


def rows_of(model: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count the rows that go forward, by the kernel."""
    counts: dict[str, int] = {}
    compiled = model._backend._compiled

    def counting(kernel: str, build: Any) -> Any:
        call, names = compiled(kernel, build)

        def counted(*arrays: Any) -> Any:
            counts[kernel] = counts.get(kernel, 0) + len(arrays[0 if kernel == "outputs" else -2])
            return call(*arrays)

        return counted, names

    monkeypatch.setattr(model._backend, "_compiled", counting)
    return counts


@pytest.mark.parametrize("contrast", [None, 1])
def test_the_network_goes_forward_once_for_all_targets(
    contrast: int | None, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = normal(ROWS, 4).astype(np.float32)
    chosen = model if contrast is None else ContrastModel(model, contrast)
    chosen.outputs({"x": x})  # whether rows mix is looked at
    counts = rows_of(model, monkeypatch)
    together = asked(chosen, x)
    assert counts == {"outputs": ROWS, "path_gradients": ROWS * 5, "coalition_scores": ROWS * 6}
    monkeypatch.setattr(model._backend, "_goes_forward_once", False)
    for one, other in zip(together, asked(chosen, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    # Each target of an instance is one gradient, also the one that others are compared with.
    assert counts["path_gradient"] == ROWS * 5 * len(TARGETS)
    asked(chosen, x[:1])
    assert set(model.traces.values()) == {1}


def test_a_gradient_that_is_not_to_be_had_in_a_loop_is_taken_for_each_target(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = normal(ROWS, 4).astype(np.float32)
    wanted = asked(model, x)

    def refused() -> Any:
        raise LookupError("No gradient defined in a loop")

    monkeypatch.setattr(model._backend, "_targets_kernel", refused)
    for one, other in zip(asked(model, x), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    assert not model._backend._goes_forward_once


def test_a_block_that_does_not_fit_is_halved_with_all_of_its_targets(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = normal(ROWS, 4).astype(np.float32)
    wanted = asked(model, x)
    gradients, sizes = model._backend.path_gradients, []

    def narrow(start: Any, stop: Any, path: Any, *rest: Any) -> Any:
        sizes.append(len(path))
        if len(path) > 4:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return gradients(start, stop, path, *rest)

    monkeypatch.setattr(model._backend, "path_gradients", narrow)
    np.testing.assert_allclose(asked(model, x)[1], wanted[1], rtol=1e-5, atol=1e-9)
    assert sizes[0] == ROWS * 5 and max(sizes[-4:]) <= 4
    assert model._backend._goes_forward_once
