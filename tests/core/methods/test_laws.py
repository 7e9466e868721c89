"""The laws that every attribution method must keep, on every function; and faults they must find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, get_args

import numpy as np
import pytest

from functions import FUNCTIONS, WEIGHTS, Function
from pellucid.metadata.parameters import (
    Attributing,
    IntegratedGradients,
    Lime,
    Quadrature,
    SampledShapley,
    SmoothGrad,
    Xrai,
)
from pellucid.methods.integrated_gradients import integrated_gradients, quadrature
from pellucid.methods.lime import lime
from pellucid.methods.sampled_shapley import sampled_shapley
from pellucid.methods.xrai import xrai
from pellucid.model import Array, Attribution, FunctionModel, Tensors

Method: TypeAlias = Callable[..., Attribution]
"""(model, x, baselines, target, numbers=…) → Attribution."""

Law: TypeAlias = Callable[[Method, Function], None]


def of(
    function: Callable[..., Attribution], settings: IntegratedGradients | SampledShapley
) -> Method:
    def method(
        model: FunctionModel,
        x: Tensors,
        baselines: Sequence[Tensors],
        target: Array,
        **options: Any,
    ) -> Attribution:
        return function(model, x, baselines, target, settings, **options)

    return method


METHODS = {
    "integrated gradients": of(integrated_gradients, IntegratedGradients()),
    "midpoint": of(
        integrated_gradients, IntegratedGradients(quadrature=Quadrature.MIDPOINT, step_count=2000)
    ),
    "trapezoid": of(
        integrated_gradients, IntegratedGradients(quadrature=Quadrature.TRAPEZOID, step_count=2000)
    ),
    "shapley, all coalitions": of(sampled_shapley, SampledShapley(path_count=50)),
}


def by_lime(
    model: FunctionModel, x: Tensors, baselines: Sequence[Tensors], target: Array, **options: Any
) -> Attribution:
    """LIME whose patches are the five elements; it has no baseline but 0."""
    numbers = options.get("numbers", range(len(target)))
    found = [
        lime(
            model, {"x": x["x"][[i]]}, "x", [np.arange(5)[None]],
            labels=[int(target[i])], seed=options.get("seed", 0), numbers=[numbers[i]],
        )[0]
        for i in range(len(target))
    ]  # fmt: skip
    values = np.concatenate([one.coefficients for one in found])
    scores = np.concatenate([one.scores for one in found])
    return Attribution(
        values={"x": values}, score=scores, baseline_score=scores, target=target, approx_error=None
    )


def by_xrai(
    model: FunctionModel, x: Tensors, baselines: Sequence[Tensors], target: Array, **options: Any
) -> Attribution:
    """XRAI of pictures of 20×20, each of whose columns of four pixels is one of the elements."""

    def picture(rows: Tensors) -> dict[str, Array]:
        return {"x": np.repeat(np.repeat(rows["x"][:, None], 4, axis=2), 20, axis=1)}

    def rows(pictures: Tensors) -> dict[str, Array]:
        return {"x": pictures["x"].mean(axis=1).reshape(-1, 5, 4).mean(axis=2)}

    def slope(pictures: Tensors, target: Array) -> dict[str, Array]:
        return {"x": picture(model.gradient(rows(pictures), target))["x"] / 80}  # type: ignore[dict-item]

    wide = FunctionModel(lambda p: model.function(rows(p)), slope, model.differentiable)
    images = picture(x)
    found, _ = xrai(wide, images, [picture(b) for b in baselines], target, images=images, **options)
    return replace(found, values=rows({"x": found.values["x"]}))


NOISY = of(integrated_gradients, IntegratedGradients(smooth_grad=SmoothGrad(noisy_sample_count=4)))
# Too few for all coalitions of 5 players, so that they are sampled.
SAMPLED = of(sampled_shapley, SampledShapley(path_count=10))
# 2000 nodes of a rule of the second order leave this much of a smooth function.
SECOND_ORDER = 1e-6

RANDOM = np.random.default_rng(0)
X = {"x": RANDOM.normal(size=(6, 5))}
BASELINES = [{"x": RANDOM.normal(size=(1, 5))}, {"x": np.zeros((1, 5))}]
TARGET = np.array([0, 1, 0, 1, 1, 0])
FACTOR = np.array([1.0, -2.0])[TARGET]


def completeness(method: Method, function: Function) -> None:
    """The attributions sum to f(x) − f(x')."""
    got = method(function.model(), X, BASELINES, TARGET)
    total = got.values["x"].sum(axis=1)
    difference = function.value(X["x"]) - np.mean([function.value(b["x"]) for b in BASELINES])
    np.testing.assert_allclose(
        total, FACTOR * difference, rtol=0, atol=2 * max(function.error, SECOND_ORDER)
    )
    np.testing.assert_allclose(got.score - got.baseline_score, FACTOR * difference, atol=1e-12)
    assert got.approx_error is not None
    np.testing.assert_allclose(
        got.approx_error, np.abs(total / (FACTOR * difference) - 1), atol=1e-12
    )


def dummy(method: Method, function: Function) -> None:
    """What the function does not read gets nothing."""
    got = method(function.model(), X, BASELINES, TARGET)
    np.testing.assert_array_equal(got.values["x"][:, 4], 0.0)


def exactness(method: Method, function: Function) -> None:
    """Where a closed form is known, the attributions are that."""
    if function.exact is None:
        return
    got = method(function.model(), X, BASELINES, TARGET)
    expected = np.mean([function.exact(X["x"], b["x"]) for b in BASELINES], axis=0)
    np.testing.assert_allclose(got.values["x"], FACTOR[:, None] * expected, atol=SECOND_ORDER)


def symmetry(method: Method, function: Function) -> None:
    """Two inputs that play the same part, with the same values, get the same."""
    value, slope = function.value, function.slope

    def swapped(x: Array) -> Array:
        return x[:, [1, 0, 2, 3, 4]]

    even = Function(
        "even",
        lambda x: value(x) + value(swapped(x)),
        lambda x: slope(x) + swapped(slope(swapped(x))),
    )
    x = X["x"].copy()
    x[:, 1] = x[:, 0]
    baselines = [{"x": np.where(np.arange(5) < 2, 0.3, b["x"])} for b in BASELINES]
    got = method(even.model(), {"x": x}, baselines, TARGET).values["x"]
    np.testing.assert_allclose(got[:, 0], got[:, 1], atol=1e-9)


def company(method: Method, function: Function) -> None:
    """An instance gets the same alone as in company."""
    together = method(function.model(), X, BASELINES, TARGET).values["x"]
    for i in range(len(TARGET)):
        alone = method(
            function.model(), {"x": X["x"][[i]]}, BASELINES, TARGET[[i]], numbers=[i]
        ).values["x"]
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-12, atol=1e-14)


def order(method: Method, function: Function) -> None:
    """The order of the instances does not matter."""
    places = [4, 2, 0, 5, 1, 3]
    straight = method(function.model(), X, BASELINES, TARGET).values["x"]
    shuffled = method(
        function.model(), {"x": X["x"][places]}, BASELINES, TARGET[places], numbers=places
    ).values["x"]
    np.testing.assert_allclose(shuffled, straight[places], rtol=1e-12, atol=1e-14)


def repetition(method: Method, function: Function) -> None:
    """The same seed gives the same bytes."""
    first, second = (method(function.model(), X, BASELINES, TARGET, seed=3) for _ in range(2))
    assert first.values["x"].tobytes() == second.values["x"].tobytes()


LAWS: tuple[Law, ...] = (completeness, dummy, exactness, symmetry, company, order, repetition)
NOISY_LAWS: tuple[Law, ...] = (dummy, company, order, repetition)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.name)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_law(method: Method, law: Law, function: Function) -> None:
    law(method, function)


REFINED = {
    "integrated gradients to a tolerance": of(
        integrated_gradients, IntegratedGradients(tolerance=0.05)
    ),
    "shapley to a tolerance": of(sampled_shapley, SampledShapley(path_count=1, tolerance=0.3)),
}
WITH_NOISE = {"smoothgrad": NOISY, "sampled shapley": SAMPLED, **REFINED}
# Coefficients and regions share out what is there: they owe nothing to single elements.
OF_PATCHES = {"lime": by_lime, "xrai": by_xrai}
EACH: dict[type[Attributing], Method] = {
    IntegratedGradients: METHODS["integrated gradients"],
    SampledShapley: SAMPLED,
    Lime: by_lime,
    Xrai: by_xrai,
}


def test_every_method_is_held_to_laws() -> None:
    assert set(EACH) == set(get_args(Attributing))
    held = [*METHODS.values(), *WITH_NOISE.values(), *OF_PATCHES.values()]
    assert all(method in held for method in EACH.values())


@pytest.mark.parametrize(
    "law, method, function",
    [
        pytest.param(law, method, function, id=f"{law.__name__}-{name}-{function.name}")
        for law in (company, order, repetition)
        for name, method in OF_PATCHES.items()
        for function in FUNCTIONS
        # Most of XRAI is finding regions, which knows no function: one without kinks and one with.
        if method is by_lime or function.name == ("tanh" if law is company else "maximum")
    ],
)
def test_law_of_patches(law: Law, method: Method, function: Function) -> None:
    law(method, function)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.name)
@pytest.mark.parametrize("law", NOISY_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("method", WITH_NOISE.values(), ids=WITH_NOISE)
def test_law_with_noise(method: Method, law: Law, function: Function) -> None:
    law(method, function)


def test_noise_changes_with_the_seed_and_the_place_of_the_instance() -> None:
    model = FUNCTIONS[4].model()
    x = {"x": np.repeat(X["x"][:1], 2, axis=0)}
    target = np.array([0, 0])
    a = NOISY(model, x, BASELINES, target, seed=0).values["x"]
    b = NOISY(model, x, BASELINES, target, seed=1).values["x"]
    assert not np.array_equal(a[0], a[1])
    assert not np.array_equal(a, b)


def test_smoothgrad_of_a_quadratic_approaches_its_mean() -> None:
    """E[∇f(x + ε)] = ∇f(x) for a quadratic, so that many samples give the noiseless answer."""
    settings = IntegratedGradients(
        step_count=4, smooth_grad=SmoothGrad(noisy_sample_count=4000, noise_sigma=0.5)
    )
    model = FUNCTIONS[1].model()
    got = integrated_gradients(model, X, BASELINES, TARGET, settings).values["x"]
    exact = np.mean([FUNCTIONS[1].exact(X["x"], b["x"]) for b in BASELINES], axis=0)  # type: ignore[misc]
    # Standard error of 2 w (x − x') ε over 4000 samples: at most 2·3·4·0.5/√4000 ≈ 0.2.
    assert np.abs(got - FACTOR[:, None] * exact).max() < 0.5


# Faults that someone might write. Each must be found by at least one law.


def _with_nodes(change: Callable[[Array, Array], tuple[Array, Array]]) -> Method:
    """A method whose quadrature is changed before it is used."""

    class Changed(FunctionModel):
        __slots__ = ()

        def path_gradient(
            self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
        ) -> dict[str, Array]:
            return FunctionModel.path_gradient(self, start, stop, *change(nodes, weights), target)

    def method(model: FunctionModel, *args: Any, **options: Any) -> Attribution:
        wrong = Changed(model.function, model.gradient, model.differentiable)
        return integrated_gradients(wrong, *args, **options)

    return method


def _after(change: Callable[[Attribution, Tensors], Attribution], inner: Method) -> Method:
    def method(model: FunctionModel, x: Tensors, *args: Any, **options: Any) -> Attribution:
        return change(inner(model, x, *args, **options), x)

    return method


def _scaled(result: Attribution, factor: Any) -> Attribution:
    return replace(result, values={k: v * factor for k, v in result.values.items()})


def _noise_by_order(model: FunctionModel, x: Tensors, *args: Any, **options: Any) -> Attribution:
    return NOISY(model, x, *args, **{**options, "numbers": range(len(x["x"]))})


RIGHT = METHODS["integrated gradients"]
FAULTS: dict[str, Method] = {
    "weights × 0.98": _with_nodes(lambda a, w: (a, w * 0.98)),
    "the inclusive linspace with equal weights": _with_nodes(
        lambda a, w: (np.linspace(0, 1, 50), np.full(50, 1 / 50))
    ),
    "trapezoid weights that sum to (n − 1) / n": _with_nodes(
        lambda a, w: (np.linspace(0, 1, 50), np.r_[0.5, np.ones(48), 0.5] / 50)
    ),
    "left Riemann sum": _with_nodes(lambda a, w: (np.arange(50) / 50, np.full(50, 1 / 50))),
    "nodes of [−1, 1]": _with_nodes(lambda a, w: (2 * a - 1, w)),
    "no factor (x − x')": lambda model, x, baselines, target, **options: replace(
        RIGHT(model, x, baselines, target, **options),
        values=model.path_gradient(
            {"x": np.broadcast_to(baselines[0]["x"], x["x"].shape)},
            x,
            *quadrature(Quadrature.GAUSS_LEGENDRE, 50),
            target,
        ),
    ),
    "factor x, not x − x'": lambda model, x, baselines, target, **options: _scaled(
        RIGHT(model, x, baselines, target, **options),
        x["x"] / (x["x"] - baselines[0]["x"]),
    ),
    "only the first baseline": lambda model, x, baselines, target, **options: RIGHT(
        model, x, baselines[:1], target, **options
    ),
    "the target of the first instance for all": lambda model, x, baselines, target, **options: (
        RIGHT(model, x, baselines, np.full_like(target, target[0]), **options)
    ),
    "the batch's mean taken off": _after(
        lambda result, x: replace(
            result, values={k: v - v.mean(0) for k, v in result.values.items()}
        ),
        RIGHT,
    ),
    "absolute values": _after(
        lambda result, x: replace(result, values={k: np.abs(v) for k, v in result.values.items()}),
        RIGHT,
    ),
    "noise from a generator that is not seeded": _after(
        lambda result, x: _scaled(result, 1 + 1e-3 * np.random.default_rng().normal()), RIGHT
    ),
    "noise drawn by order, not by name": _noise_by_order,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_breaks_a_law(fault: Method) -> None:
    laws = NOISY_LAWS if fault is _noise_by_order else LAWS
    broken = [
        f"{law.__name__} on {function.name}"
        for law in laws
        for function in FUNCTIONS
        if _breaks(law, fault, function)
    ]
    assert broken, "no law noticed"


def _breaks(law: Law, method: Method, function: Function) -> bool:
    try:
        law(method, function)
    except AssertionError:
        return True
    return False


def test_linear_attributions_are_w_times_x_minus_baseline() -> None:
    got = RIGHT(FUNCTIONS[0].model(), X, BASELINES[:1], np.zeros(6, int)).values["x"]
    np.testing.assert_allclose(got, WEIGHTS * (X["x"] - BASELINES[0]["x"]), atol=1e-12)
