"""Refinement: the error that was asked for, with few gradients, instance by instance."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from functions import FUNCTIONS, Function
from pellucid.metadata.parameters import IntegratedGradients
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
    assert (got.evaluations >= 3).all() and (got.evaluations % 2 == 1).all()


def test_a_linear_function_takes_three_gradients_and_is_exact() -> None:
    got = run(FUNCTIONS[0], 1e-6)
    assert (got.evaluations == 3).all()
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


def test_it_stops_at_the_most_steps_and_counts_truly() -> None:
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
    method = IntegratedGradients(tolerance=1e-9, max_steps=12)
    got = integrated_gradients(model, X, BASELINE, TARGET, method)
    assert (got.evaluations <= 12).all() and (got.evaluations == 11).any()
    assert asked[0] == got.evaluations.sum()
    assert (got.approx_error > 1e-9).any()  # and it does not hide it


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
