"""What is special to integrated gradients: its quadrature, and what is held."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.metadata.parameters import IntegratedGradients, Quadrature
from pellucid.methods.integrated_gradients import (
    completeness_error,
    gauss_legendre,
    integrated_gradients,
    quadrature,
)
from pellucid.model import FunctionModel


@given(st.sampled_from(Quadrature), st.integers(1, 100))
def test_weights_are_positive_and_sum_to_one(rule: Quadrature, count: int) -> None:
    nodes, weights = quadrature(rule, count)
    assert len(nodes) == len(weights) == count
    assert (weights > 0).all() and ((nodes >= 0) & (nodes <= 1)).all()
    assert abs(weights.sum() - 1) < 1e-12


@given(st.integers(1, 40))
def test_gauss_legendre_is_exact_to_degree_2n_minus_1_and_no_further(count: int) -> None:
    nodes, weights = quadrature(Quadrature.GAUSS_LEGENDRE, count)
    for degree in range(2 * count):
        assert weights @ nodes**degree == pytest.approx(1 / (degree + 1), abs=1e-13)
    if count < 6:  # beyond, the error is below rounding
        assert abs(weights @ nodes ** (2 * count) - 1 / (2 * count + 1)) > 1e-9


@pytest.mark.parametrize("rule", [Quadrature.MIDPOINT, Quadrature.TRAPEZOID])
def test_second_order_rules_are_exact_to_degree_1_and_no_further(rule: Quadrature) -> None:
    nodes, weights = quadrature(rule, 7)
    assert weights @ nodes == pytest.approx(0.5, abs=1e-14)
    assert abs(weights @ nodes**2 - 1 / 3) > 1e-4


@pytest.mark.parametrize("count", [0, -1])
def test_no_nodes_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"^a quadrature needs at least 1 node, not {count}$"):
        quadrature(Quadrature.MIDPOINT, count)


def test_the_error_is_undefined_where_the_output_does_not_change() -> None:
    error = completeness_error({"x": np.array([[1.0], [1.0]])}, np.array([0.0, 2.0]))
    np.testing.assert_array_equal(error, [np.nan, 0.5])


def test_features_without_a_gradient_are_held_at_the_instance() -> None:
    """f = x · k with an integer k: the whole change belongs to x, at the instance's own k."""
    model = FunctionModel(
        lambda x: (x["x"] * x["k"])[:, None],
        lambda x, target: {"x": x["k"].astype(float)},
        frozenset({"x"}),
    )
    got = integrated_gradients(
        model,
        {"x": np.array([2.0, 3.0]), "k": np.array([5, 7])},
        [{"x": np.zeros(1), "k": np.zeros(1, int)}],
        np.array([0, 0]),
        IntegratedGradients(step_count=1),
    )
    assert set(got.values) == {"x"}
    np.testing.assert_allclose(got.values["x"], [10.0, 21.0])
    np.testing.assert_allclose(got.baseline_score, [0.0, 0.0])


def test_the_docstring_runs() -> None:

    from pellucid.methods import integrated_gradients as module

    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0


@pytest.mark.parametrize("count", [101, 102, 150])
def test_gauss_legendre_nodes_are_numpy_s(count: int) -> None:
    nodes, weights = gauss_legendre(count)
    expected = np.polynomial.legendre.leggauss(count)
    np.testing.assert_allclose(nodes, expected[0], rtol=0, atol=1e-15)
    np.testing.assert_allclose(weights, expected[1], rtol=1e-10)


@pytest.mark.parametrize("count", [1, 2, 7, 100, 101, 500, 3000, 5000])
def test_gauss_legendre_nodes_integrate_what_the_rule_integrates(count: int) -> None:
    nodes, weights = gauss_legendre(count)
    assert nodes.shape == weights.shape == (count,)
    assert (np.diff(nodes) > 0).all() and (weights > 0).all() and np.abs(nodes).max() < 1
    np.testing.assert_allclose(nodes, -nodes[::-1], rtol=0, atol=1e-15)
    for power in {0, 1, count - 1, count, 2 * count - 2, 2 * count - 1}:
        exact = 0.0 if power % 2 else 2 / (power + 1)
        assert weights @ nodes**power == pytest.approx(exact, rel=1e-9, abs=1e-14)
    assert weights @ np.exp(nodes) == pytest.approx(np.e - 1 / np.e, rel=1e-13 if count > 6 else 1)
