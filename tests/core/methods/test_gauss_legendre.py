"""The nodes and weights of Gauss–Legendre quadrature."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.methods.gauss_legendre import gauss_legendre


@pytest.mark.parametrize("count", [101, 102, 150])
def test_they_are_numpy_s(count: int) -> None:
    nodes, weights = gauss_legendre(count)
    expected = np.polynomial.legendre.leggauss(count)
    np.testing.assert_allclose(nodes, expected[0], rtol=0, atol=1e-15)
    np.testing.assert_allclose(weights, expected[1], rtol=1e-10)


@pytest.mark.parametrize("count", [1, 2, 7, 100, 101, 500, 3000, 5000])
def test_they_integrate_what_the_rule_integrates(count: int) -> None:
    nodes, weights = gauss_legendre(count)
    assert nodes.shape == weights.shape == (count,)
    assert (np.diff(nodes) > 0).all() and (weights > 0).all() and np.abs(nodes).max() < 1
    np.testing.assert_allclose(nodes, -nodes[::-1], rtol=0, atol=1e-15)
    for power in {0, 1, count - 1, count, 2 * count - 2, 2 * count - 1}:
        exact = 0.0 if power % 2 else 2 / (power + 1)
        assert weights @ nodes**power == pytest.approx(exact, rel=1e-9, abs=1e-14)
    assert weights @ np.exp(nodes) == pytest.approx(np.e - 1 / np.e, rel=1e-13 if count > 6 else 1)
