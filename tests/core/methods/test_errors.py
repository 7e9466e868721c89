"""Errors of single values: what is stated agrees with what happens, over many seeds and steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pellucid.errors import SpecError
from pellucid.metadata import (
    CallSettings,
    ExplanationParameters,
    IntegratedGradients,
    Lime,
    Quadrature,
    SampledShapley,
    with_settings,
)
from pellucid.methods.integrated_gradients import integrated_gradients
from pellucid.methods.lime import lime
from pellucid.methods.ridge import ridge, standard_errors
from pellucid.methods.sampled_shapley import sampled_shapley
from pellucid.methods.texts import Sampling, cut, lime_of_words
from pellucid.model import FunctionModel

SEEDS = 200


def network(inputs: int, seed: int = 0) -> Callable[[Any], Any]:
    """A small network of one output, which is not linear."""
    generator = np.random.default_rng(seed)
    first = generator.normal(size=(inputs, 16)) * 3 / np.sqrt(inputs)
    last = generator.normal(size=(16, 1)) * 2
    return lambda x: 1 / (1 + np.exp(-np.tanh(x @ first) @ last))


def agree(stated: list[Any], values: list[Any]) -> None:
    """What is stated is the spread over the seeds: in all within 10 %, of each value roughly.

    The spread of one value over 200 seeds is itself known to 5 %.
    """
    spread = np.var(values, axis=0, ddof=1)
    expected = np.mean(np.square(stated), axis=0)
    assert np.sqrt(expected.sum() / spread.sum()) == pytest.approx(1, abs=0.1)
    moving = spread > 1e-6 * spread.max()
    ratio = np.sqrt(expected[moving] / spread[moving])
    assert ratio.min() > 0.75 and ratio.max() < 1.33


@pytest.mark.parametrize("baselines", [1, 3])
@pytest.mark.parametrize("paths", [24, 50])
def test_shapley_values_of_columns_spread_as_stated(paths: int, baselines: int) -> None:
    score = network(10)
    model = FunctionModel(lambda x: score(x["x"]), lambda x, target: {}, frozenset())
    generator = np.random.default_rng(1)
    x = {"x": generator.normal(size=(1, 10))}
    starts = [{"x": generator.normal(size=(1, 10))} for _ in range(baselines)]
    method = SampledShapley(path_count=paths)
    found = [
        sampled_shapley(model, x, starts, np.array([0]), method, seed=seed) for seed in range(SEEDS)
    ]
    agree([it.errors["x"][0] for it in found], [it.values["x"][0] for it in found])


def test_shapley_values_of_regions_and_groups_spread_as_stated_and_add_up() -> None:
    score = network(6 * 6 + 1)
    model = FunctionModel(
        lambda x: score(np.column_stack([x["image"].reshape(-1, 36), x["age"]])),
        lambda x, target: {},
        frozenset(),
    )
    generator = np.random.default_rng(2)
    x = {"image": generator.normal(size=(1, 6, 6)), "age": np.ones((1, 1))}
    zero = {name: np.zeros_like(value) for name, value in x.items()}
    regions = np.arange(36).reshape(6, 6) // 3
    method, own = SampledShapley(path_count=24), {"image": regions}
    found = [
        sampled_shapley(model, x, [zero], np.array([0]), method, regions=own, seed=seed)
        for seed in range(SEEDS)
    ]

    def regional(tensors: Any) -> Any:
        sums = np.bincount(regions.ravel(), weights=tensors["image"].ravel())
        return np.append(sums, tensors["age"])

    agree([regional(it.errors) for it in found], [regional(it.values) for it in found])


def test_what_is_enumerated_has_no_error_and_one_path_an_unknown_one() -> None:
    score = network(4)
    model = FunctionModel(lambda x: score(x["x"]), lambda x, target: {}, frozenset())
    x, zero = {"x": np.ones((1, 4))}, [{"x": np.zeros((1, 4))}]
    exact = sampled_shapley(model, x, zero, np.array([0]), SampledShapley())
    assert (exact.errors["x"] == 0).all()
    one = sampled_shapley(model, x, zero, np.array([0]), SampledShapley(path_count=1))
    assert np.isnan(one.errors["x"]).all()


@pytest.mark.parametrize("samples", [200, 1000])
def test_coefficients_of_patches_spread_as_stated(samples: int) -> None:
    segments = np.arange(36).reshape(6, 6) // 2
    score = network(36)
    model = FunctionModel(
        lambda x: score(x["image"].reshape(-1, 36)), lambda x, target: {}, frozenset()
    )
    picture = {"image": np.random.default_rng(3).normal(size=(1, 6, 6))}
    found = [
        lime(model, picture, "image", [segments], Lime(num_samples=samples), seed=seed)[0]
        for seed in range(SEEDS)
    ]
    agree([it.errors[0] for it in found], [it.coefficients[0] for it in found])


def test_coefficients_of_words_spread_as_stated() -> None:
    text = "the quick brown fox jumps over a lazy dog and then sleeps all day"
    words = {"text": cut(text, "words")}
    vocabulary = words["text"].words
    score = network(len(vocabulary))

    def there(it: bytes) -> list[float]:
        return [float(word in it.decode().split()) for word in vocabulary]

    model = FunctionModel(
        lambda x: score(np.array([there(it) for it in x["text"]])), lambda x, t: {}, frozenset()
    )
    x = {"text": np.array([text.encode()], object)}
    found = [
        lime_of_words(model, x, words, [0], Sampling(rows=300), seed=seed) for seed in range(SEEDS)
    ]
    agree([it.errors[0] for it in found], [it.coefficients[0] for it in found])


@pytest.mark.parametrize("patches", [5, 40])
def test_errors_of_the_ridge_are_those_of_its_definition(patches: int) -> None:
    """Also where there are more patches than samples, and the smaller system is solved."""
    generator = np.random.default_rng(4)
    rows, weights = generator.random((20, patches)) < 0.5, generator.uniform(0.2, 1, 20)
    scores = generator.normal(size=(20, 2))
    beta, intercepts = ridge(rows, scores, weights)
    got = standard_errors(rows, scores, weights, beta, intercepts)
    for k in range(2):
        # How the fit answers to each score, by moving that score.
        moved = [ridge(rows, scores + 1e-3 * np.eye(20)[:, [i]], weights) for i in range(20)]
        influence = np.array([(b[k] - beta[k]) / 1e-3 for b, _ in moved])
        drawn = [
            (rows[i] @ b[k] + a[k] - rows[i] @ beta[k] - intercepts[k]) / 1e-3
            for i, (b, a) in enumerate(moved)
        ]
        off = scores[:, k] - rows @ beta[k] - intercepts[k]
        variance = (influence**2 * (off**2 / (1 - np.array(drawn)))[:, None]).sum(0)
        np.testing.assert_allclose(got[k], np.sqrt(variance), rtol=1e-6)


def cubes(x: Any) -> Any:
    return (x["x"] ** 5).sum(1, keepdims=True)


SMOOTH = FunctionModel(cubes, lambda x, target: {"x": 5 * x["x"] ** 4}, frozenset({"x"}))


@pytest.mark.parametrize(
    ("rule", "steps", "fewer", "asked"),
    [
        (Quadrature.TRAPEZOID, 9, 5, 9),
        (Quadrature.MIDPOINT, 9, 3, 9),
        (Quadrature.TRAPEZOID, 8, 4, 12),
        (Quadrature.MIDPOINT, 8, 4, 12),
        (Quadrature.GAUSS_LEGENDRE, 5, 2, 7),
    ],
)
def test_a_rule_is_compared_with_a_coarser_one(
    rule: Quadrature, steps: int, fewer: int, asked: int
) -> None:
    """A rule that holds the coarser one costs no gradient more."""
    x, start = {"x": np.array([[1.0, -2.0], [0.5, 3.0]])}, [{"x": np.array([[0.5, 0.25]])}]
    target = np.zeros(2, int)
    method = IntegratedGradients(step_count=steps, quadrature=rule, errors=True)
    got = integrated_gradients(SMOOTH, x, start, target, method)
    plain, other = (
        integrated_gradients(
            SMOOTH, x, start, target, IntegratedGradients(step_count=count, quadrature=rule)
        ).values["x"]
        for count in (steps, fewer)
    )
    np.testing.assert_allclose(got.values["x"], plain, rtol=1e-12)
    np.testing.assert_allclose(got.errors["x"], plain - other, rtol=1e-9, atol=1e-12)
    norm = np.linalg.norm(plain - other, axis=1) / np.linalg.norm(plain, axis=1)
    np.testing.assert_allclose(got.diagnostics["quadrature_error"], norm, rtol=1e-9)
    assert got.evaluations is not None and (got.evaluations == asked).all()


def test_without_being_asked_a_rule_is_not_compared() -> None:
    x = {"x": np.ones((1, 2))}
    got = integrated_gradients(SMOOTH, x, [{"x": np.zeros((1, 2))}], np.array([0]))
    assert got.errors == {} and got.diagnostics == {}
    assert got.evaluations is not None and got.evaluations.tolist() == [50]


@pytest.mark.parametrize("settings", [{"tolerance": 0.1}, {"steps": 1}])
def test_errors_that_cannot_be_had_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="errors"):
        with_settings(ExplanationParameters(), CallSettings(errors=True, **settings))
