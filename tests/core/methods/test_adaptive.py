"""Refinement: the error that was asked for, with few gradients, instance by instance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from functions import FUNCTIONS, Function
from pellucid.metadata import IntegratedGradients, Quadrature
from pellucid.methods import adaptive
from pellucid.methods.integrated_gradients import integrated_gradients
from pellucid.model import Array, FunctionModel, Tensors

RANDOM = np.random.default_rng(3)
X = {"x": RANDOM.normal(size=(12, 5))}
BASELINE = [{"x": RANDOM.normal(size=(1, 5))}]
TARGET = np.arange(12) % 2


def run(
    function: Function, tolerance: float, max_steps: int = 2000, rows: Any = slice(None)
) -> Any:
    method = IntegratedGradients(tolerance=tolerance, max_steps=max_steps)
    x = {"x": X["x"][rows]}
    return integrated_gradients(function.model(), x, BASELINE, TARGET[rows], method)


@pytest.mark.parametrize("tolerance", [0.1, 0.01, 0.001])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.name)
def test_every_instance_is_as_accurate_as_was_asked(function: Function, tolerance: float) -> None:
    got = run(function, tolerance)
    assert (got.approx_error <= tolerance).all()
    # Three levels at least, each of three times the nodes of the one before.
    assert (got.evaluations >= 9).all() and (got.evaluations % 6 == 3).all()
    assert (got.diagnostics["quadrature_error"] <= tolerance).all()


def test_a_linear_function_takes_nine_gradients_and_is_exact() -> None:
    got = run(FUNCTIONS[0], 1e-6)
    assert (got.evaluations == 9).all()
    exact = FUNCTIONS[0].exact
    assert exact is not None
    factor = np.array([1.0, -2.0])[TARGET][:, None]
    np.testing.assert_allclose(
        got.values["x"], factor * exact(X["x"], BASELINE[0]["x"]), atol=1e-12
    )


def test_a_smaller_tolerance_takes_more_gradients_and_comes_closer() -> None:
    tanh = FUNCTIONS[4]
    method = IntegratedGradients(step_count=400)
    exact = integrated_gradients(tanh.model(), X, BASELINE, TARGET, method).values["x"]
    counts, errors = [], []
    for tolerance in (0.1, 0.01, 0.001, 0.0001):
        got = run(tanh, tolerance)
        counts.append(got.evaluations.mean())
        errors.append(np.abs(got.values["x"] - exact).max())
    assert counts == sorted(counts) and counts[-1] > counts[0]
    assert errors[-1] < errors[0] / 10


def test_an_instance_gets_the_same_alone_as_in_company() -> None:
    together = run(FUNCTIONS[3], 0.01)
    for i in range(12):
        alone = run(FUNCTIONS[3], 0.01, rows=[i])
        np.testing.assert_allclose(alone.values["x"][0], together.values["x"][i], atol=1e-13)
        assert alone.evaluations[0] == together.evaluations[i]


@pytest.mark.parametrize(
    ("kept", "most", "taken"), [(2**22, 3, 3), (2**22, 40, 39), (0, 3, 3), (0, 40, 27)]
)
def test_it_stops_at_the_most_steps_and_counts_truly(
    monkeypatch: pytest.MonkeyPatch, kept: int, most: int, taken: int
) -> None:
    asked: Counter[int] = Counter()

    class Counting(FunctionModel):
        __slots__ = ()

        def path_gradient(
            self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
        ) -> dict[str, Array]:
            asked[0] += len(target) * np.shape(nodes)[-1]
            return FunctionModel.path_gradient(self, start, stop, nodes, weights, target)

    plain = FUNCTIONS[3].model()
    model = Counting(plain.function, plain.gradient, plain.differentiable)
    monkeypatch.setattr(adaptive, "KEPT", kept)
    method = IntegratedGradients(tolerance=1e-9, max_steps=most)
    got = integrated_gradients(model, X, BASELINE, TARGET, method)
    assert (got.evaluations <= most).all() and (got.evaluations == taken).any()
    assert asked[0] == got.evaluations.sum()
    # And it does not hide it.
    assert (got.approx_error > 1e-9).any() and (got.diagnostics["quadrature_error"] > 1e-9).any()


def test_a_path_that_is_right_by_luck_is_not_taken_for_accurate() -> None:
    """f = s(a) + s(1 − b) with a bump s: the midpoint's errors cancel, one feature each."""
    jump = 0.05

    def value(x: Array) -> Array:
        return np.tanh((x[:, 0] - 0.35) / jump) + np.tanh((x[:, 1] - 0.65) / jump)

    def slope(x: Array) -> Array:
        result = np.zeros_like(x)
        result[:, 0] = (1 - np.tanh((x[:, 0] - 0.35) / jump) ** 2) / jump
        result[:, 1] = (1 - np.tanh((x[:, 1] - 0.65) / jump) ** 2) / jump
        return result

    function = Function("steps", value, slope)
    method = IntegratedGradients(tolerance=0.02, max_steps=2000)
    x = {"x": np.ones((1, 5))}
    got = integrated_gradients(
        function.model(), x, [{"x": np.zeros((1, 5))}], np.array([0]), method
    )
    exact = [
        np.tanh(0.65 / jump) + np.tanh(0.35 / jump),
        np.tanh(0.35 / jump) + np.tanh(0.65 / jump),
    ]
    np.testing.assert_allclose(got.values["x"][0, :2], exact, rtol=0.15)


def test_several_baselines_are_refined_each_on_its_own_path() -> None:
    baselines = [*BASELINE, {"x": np.zeros((1, 5))}]
    method = IntegratedGradients(tolerance=0.01, max_steps=2000)
    got = integrated_gradients(FUNCTIONS[4].model(), X, baselines, TARGET, method)
    parts = [integrated_gradients(FUNCTIONS[4].model(), X, [b], TARGET, method) for b in baselines]
    assert got.evaluations is not None and parts[0].evaluations is not None
    np.testing.assert_array_equal(got.evaluations, np.sum([p.evaluations for p in parts], axis=0))
    np.testing.assert_allclose(
        got.values["x"], np.mean([p.values["x"] for p in parts], axis=0), atol=1e-12
    )


@pytest.mark.parametrize("tolerance", [0.01, 0.001])
def test_the_mean_of_baselines_that_cancel_is_as_accurate_as_was_asked(tolerance: float) -> None:
    """Between two baselines, what comes from one side goes on the other; by hand, Σ x³."""
    model = FunctionModel(
        lambda x: (x["x"] ** 3 + np.maximum(x["x"], 0.3)).sum(1, keepdims=True),
        lambda x, target: {"x": 3 * x["x"] ** 2 + (x["x"] > 0.3)},
        frozenset({"x"}),
    )
    x = np.array([[0.35, 0.5, 0.2], [0.3, 0.31, 0.9], [1.0, 2.0, 3.0]])
    step = np.array([[0.3, 0.301, 0.302], [0.2, 0.2, 0.2], [0.1, 0.1, 0.1]])
    baselines = [{"x": x - step}, {"x": x + step}]
    method = IntegratedGradients(tolerance=tolerance, max_steps=20000)
    got = integrated_gradients(model, {"x": x}, baselines, np.zeros(3, int), method)
    exact = np.mean(
        [
            (x**3 + np.maximum(x, 0.3)) - (it["x"] ** 3 + np.maximum(it["x"], 0.3))
            for it in baselines
        ],
        axis=0,
    )
    off = np.linalg.norm(got.values["x"] - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert (off <= tolerance).all()
    assert (got.diagnostics["quadrature_error"] <= tolerance).all()
    np.testing.assert_array_equal(got.evaluations, got.diagnostics["gradients"])
    alone = [
        integrated_gradients(
            model,
            {"x": x[[i]]},
            [{"x": it["x"][[i]]} for it in baselines],
            np.zeros(1, int),
            method,
        )
        for i in range(3)
    ]
    np.testing.assert_allclose(
        got.values["x"], np.concatenate([it.values["x"] for it in alone]), atol=1e-12
    )
    np.testing.assert_array_equal(got.evaluations, [it.evaluations[0] for it in alone])
    once = integrated_gradients(model, {"x": x}, baselines, np.zeros(3, int), method, again=False)
    assert (once.diagnostics["quadrature_error"] > tolerance).any(), "it is more than that alone"


def relu(x: Array) -> tuple[Array, Array]:
    return np.maximum(x, 0), (x > 0).astype(float)


def tanh(x: Array) -> tuple[Array, Array]:
    found = np.tanh(x)
    return found, 1 - found**2


def network(
    columns: int, width: int, bend: Callable[[Array], tuple[Array, Array]]
) -> FunctionModel:
    """Two layers and a sigmoid, which saturates on some of the instances."""
    generator = np.random.default_rng(columns + width)
    first = generator.normal(size=(columns, width)) * np.sqrt(2 / columns)
    second = generator.normal(size=(width, width)) * np.sqrt(2 / width)
    last = generator.normal(size=width) * np.sqrt(8 / width)
    biases = generator.normal(size=(2, width)) / 2

    def gradient(x: Tensors, target: Array) -> dict[str, Array]:
        one, at_one = bend(x["x"] @ first + biases[0])
        two, at_two = bend(one @ second + biases[1])
        share = 1 / (1 + np.exp(-two @ last))
        at_last = (share * (1 - share))[:, None] * last
        return {"x": ((at_last * at_two) @ second.T * at_one) @ first.T}

    def outputs(x: Tensors) -> Array:
        two, _ = bend(bend(x["x"] @ first + biases[0])[0] @ second + biases[1])
        return 1 / (1 + np.exp(-two @ last))[:, None]

    return FunctionModel(outputs, gradient, frozenset({"x"}))


@pytest.mark.parametrize("kept", [2**22, 0])
@pytest.mark.parametrize(
    ("columns", "width", "bend"), [(4, 6, relu), (6, 16, relu), (80, 64, relu), (20, 16, tanh)]
)
def test_the_estimated_error_covers_the_true_one_of_nine_instances_in_ten(
    monkeypatch: pytest.MonkeyPatch, columns: int, width: int, bend: Any, kept: int
) -> None:
    """Against 2,000 midpoints; and what is said to be reached is, wherever the estimate covers."""
    monkeypatch.setattr(adaptive, "KEPT", kept)
    model = network(columns, width, bend)
    x = {"x": 1.5 * np.random.default_rng(columns).normal(size=(60, columns))}
    start, target = [{"x": np.zeros((1, columns))}], np.zeros(60, int)
    fine = IntegratedGradients(step_count=2000, quadrature=Quadrature.MIDPOINT)
    exact = integrated_gradients(model, x, start, target, fine).values["x"]
    for tolerance in (0.2, 0.05):
        method = IntegratedGradients(tolerance=tolerance)
        got = integrated_gradients(model, x, start, target, method)
        error = np.linalg.norm(got.values["x"] - exact, axis=1)
        error /= np.linalg.norm(got.values["x"], axis=1)
        estimated = got.diagnostics["quadrature_error"]
        assert (error <= estimated).mean() >= 0.9
        # An estimate that is far too large would cover everything, and be of no use.
        assert np.median(error / estimated) > 0.02
        assert (error <= tolerance).mean() >= 0.9


@pytest.mark.parametrize("seen", [True, False])
def test_the_sum_alone_never_stops_it(monkeypatch: pytest.MonkeyPatch, seen: bool) -> None:
    """f = s(a) + b − s(b) with a step s: any rule has the sum on a = b, and a fine one the parts.

    With the difference of levels left out, it stops as soon as it may: that is what is tested.
    """
    width = 0.05

    def step(x: Array) -> Array:
        return np.tanh((x - 0.4) / width)

    def value(x: Array) -> Array:
        return step(x[:, 0]) + x[:, 1] - step(x[:, 1])

    def slope(x: Array) -> Array:
        result = np.zeros_like(x)
        result[:, 0] = (1 - step(x[:, 0]) ** 2) / width
        result[:, 1] = 1 - (1 - step(x[:, 1]) ** 2) / width
        return result

    if not seen:
        monkeypatch.setattr(adaptive, "REMAINDER", 0.0)
    model = Function("cancelling", value, slope).model()
    x, start = {"x": np.ones((1, 5))}, [{"x": np.zeros((1, 5))}]
    method = IntegratedGradients(tolerance=0.05)
    got = integrated_gradients(model, x, start, np.array([0]), method)
    assert got.approx_error is not None and got.approx_error[0] < 1e-12
    exact = step(np.ones(1)) - step(np.zeros(1))
    off = np.abs(got.values["x"][0, 0] - exact) / exact
    assert (off < 0.05) == seen and (got.evaluations == 9) == (not seen)
