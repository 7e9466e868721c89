"""Nodes and weights of Gauss–Legendre quadrature; twice as many take four times as long."""

from __future__ import annotations

import numpy as np

from pellucid.model import Array

# numpy's are eigenvalues of a matrix: as exact as can be, and 5 s for 1,000 of them.
_EIGENVALUES = 100
_PRECISION = 1e-14


def gauss_legendre(count: int) -> tuple[Array, Array]:
    """Return the `count` nodes on (-1, 1), ascending, and their weights, float64 [count].

    The nodes are the zeros of the Legendre polynomial Pₙ, found by Newton's method from Tricomi's
    approximation; wᵢ = 2 / ((1 − xᵢ²) Pₙ'(xᵢ)²). Source: Hale and Townsend, Fast and accurate
    computation of Gauss–Legendre and Gauss–Jacobi quadrature nodes and weights (SIAM J. Sci.
    Comput. 35, 2013), sections 2 and 3.
    """
    if count <= _EIGENVALUES:
        return np.polynomial.legendre.leggauss(count)
    half = (count + 1) // 2
    angle = np.pi * (np.arange(1, half + 1) - 0.25) / (count + 0.5)
    nodes = np.cos(angle)
    nodes *= 1 - (count - 1) / (8 * count**3) - (39 - 28 / np.sin(angle) ** 2) / (384 * count**4)
    while True:
        value, slope = _legendre(count, nodes)
        step = value / slope
        nodes -= step
        if np.abs(step).max() < _PRECISION:
            break
    if count % 2:
        nodes[-1] = 0
    weights = 2 / ((1 - nodes**2) * slope**2)
    # The other half is the same, mirrored; the middle one of an odd number is there once.
    others = slice(None, count // 2)
    nodes = np.concatenate([-nodes[others], nodes[::-1]])
    weights = np.concatenate([weights[others], weights[::-1]])
    return nodes, weights * (2 / weights.sum())


def _legendre(degree: int, x: Array) -> tuple[Array, Array]:
    """Return Pₙ(x) and Pₙ'(x) by the recurrence, in place: it runs thousands of times."""
    before, now, product = np.ones_like(x), x.copy(), np.empty_like(x)
    for n in range(1, degree):
        # P(n+1) = x P(n) + n / (n + 1) (x P(n) - P(n-1))
        np.multiply(x, now, out=product)
        np.subtract(product, before, out=before)
        before *= n / (n + 1)
        before += product
        before, now = now, before
    return now, degree * (before - x * now) / (1 - x**2)
