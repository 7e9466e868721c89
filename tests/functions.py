"""Functions whose attributions are known in closed form, with their gradients.

Each is a `FunctionModel` over one feature "x" of shape [5] (the last element never matters) with
two outputs, f and −2 f, so that a method that ignores the target is found out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.model import Array, FunctionModel

WEIGHTS = np.array([1.5, -2.0, 0.25, 3.0, 0.0])
_FIRST = np.random.default_rng(7).normal(size=(5, 6)) * np.array([[1], [1], [1], [1], [0]])
_SECOND = np.random.default_rng(8).normal(size=6)


@dataclass(frozen=True)
class Function:
    """A function of [n, 5], its gradient, and its exact attributions for x against x' if known.

    `exact` is for integrated gradients and for Shapley values: in a sum of functions of single
    elements and of products of two, where it is given, the two agree.
    `error` is the completeness error that 50 Gauss-Legendre nodes may leave: rounding for a smooth
    function, more where the gradient jumps on the way.
    """

    name: str
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    exact: Callable[[Array, Array], Array] | None = None
    error: float = 1e-9

    def model(self) -> FunctionModel:
        factors = np.array([1.0, -2.0])

        def function(x: Any) -> Array:
            return self.value(x["x"])[:, None] * factors

        def gradient(x: Any, target: Array) -> dict[str, Array]:
            return {"x": self.slope(x["x"]) * factors[target][:, None]}

        return FunctionModel(function, gradient, frozenset({"x"}))


def _linear(x: Array) -> Array:
    return x @ WEIGHTS + 0.5


def _quadratic(x: Array) -> Array:
    return (x**2) @ WEIGHTS


def _product(x: Array) -> Array:
    return x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3]


def _product_slope(x: Array) -> Array:
    return np.stack([x[:, 1], x[:, 0], x[:, 3], x[:, 2], 0 * x[:, 4]], axis=1)


def _product_exact(x: Array, base: Array) -> Array:
    # ∫ (b' + α (b − b')) dα = (b + b') / 2, times (a − a'): the trapezoid's area.
    d, middle = x - base, (x + base) / 2
    return np.stack(
        [d[:, 0] * middle[:, 1], d[:, 1] * middle[:, 0], d[:, 2] * middle[:, 3],
         d[:, 3] * middle[:, 2], 0 * d[:, 4]], axis=1
    )  # fmt: skip


def _maximum(x: Array) -> Array:
    return x[:, :4].max(axis=1)


def _maximum_slope(x: Array) -> Array:
    slope = np.zeros_like(x)
    slope[np.arange(len(x)), x[:, :4].argmax(axis=1)] = 1.0
    return slope


def _tanh(x: Array) -> Array:
    return np.tanh(x @ _FIRST) @ _SECOND


def _tanh_slope(x: Array) -> Array:
    return ((1 - np.tanh(x @ _FIRST) ** 2) * _SECOND) @ _FIRST.T


FUNCTIONS = (
    Function(
        "linear",
        _linear,
        lambda x: np.broadcast_to(WEIGHTS, x.shape),
        lambda x, base: (x - base) * WEIGHTS,
    ),
    Function(
        "quadratic",
        _quadratic,
        lambda x: 2 * x * WEIGHTS,
        lambda x, base: (x**2 - base**2) * WEIGHTS,
    ),
    Function("product", _product, _product_slope, _product_exact),
    Function("maximum", _maximum, _maximum_slope, None, error=0.05),
    Function("tanh", _tanh, _tanh_slope),
)
