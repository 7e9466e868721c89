"""Sampled Shapley to a tolerance: as many paths as the standard error asks for, and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.metadata.parameters import SampledShapley
from pellucid.methods.sampled_shapley import sampled_shapley
from pellucid.model import Array, Attribution, FunctionModel, Tensors

RANDOM = np.random.default_rng(3)
P, N = 14, 6
FIRST, SECOND = RANDOM.normal(size=(P, 20)), RANDOM.normal(size=20)
X = {"x": RANDOM.normal(size=(N, P))}
ZERO = [{"x": np.zeros((1, P))}]
TARGET = np.zeros(N, int)


def network(x: Tensors) -> Array:
    return np.asarray(np.maximum(x["x"] @ FIRST, 0) @ SECOND)[:, None]


MODEL = FunctionModel(network, lambda x, target: {}, frozenset())


def shapley(x: Tensors = X, baselines: Any = ZERO, seed: int = 0, **method: Any) -> Attribution:
    target = np.zeros(len(x["x"]), int)
    return sampled_shapley(MODEL, x, baselines, target, SampledShapley(**method), seed=seed)


def error_of(got: Attribution) -> Array:
    assert got.approx_error is not None
    return got.approx_error


def paths_of(got: Attribution) -> Array:
    assert got.evaluations is not None
    np.testing.assert_array_equal(got.evaluations, got.diagnostics["paths"])
    return got.evaluations


def test_each_instance_takes_the_paths_that_it_needs() -> None:
    got = shapley(tolerance=0.1, max_paths=100_000)
    paths = paths_of(got)
    assert (error_of(got) <= 0.1).all() and len(set(paths.tolist())) > 2
    # It did not stop long after it could have: a third fewer would not have been enough.
    for i in range(N):
        if paths[i] > 32:
            fewer = shapley({"x": X["x"][[i]]}, path_count=int(paths[i] / 1.6) // 4 * 4)
            assert error_of(fewer)[0] > 0.1


def test_what_was_drawn_is_what_so_many_paths_would_have_drawn() -> None:
    for baselines in (ZERO, [*ZERO, {"x": np.ones((1, P))}]):
        got = shapley(baselines=baselines, tolerance=0.2, max_paths=100_000)
        for i, count in enumerate(paths_of(got).tolist()):
            fixed = shapley({"x": X["x"][[i]]}, baselines, path_count=count)
            np.testing.assert_allclose(fixed.values["x"][0], got.values["x"][i], atol=1e-12)
            np.testing.assert_allclose(error_of(fixed)[0], error_of(got)[i], rtol=1e-9)


def test_the_error_at_which_it_stops_is_the_error() -> None:
    """To stop as soon as an estimate is small could favour estimates that are too small."""
    truth = shapley(path_count=20_000).values["x"]
    errors, claims = [], []
    for seed in range(1, 101):
        got = shapley(seed=seed, tolerance=0.2, max_paths=10_000)
        difference = got.score - got.baseline_score
        errors.append(((got.values["x"] - truth) ** 2).sum(axis=1) / difference**2)
        claims.append(error_of(got) ** 2)
    assert 0.8 < np.mean(errors) / np.mean(claims) < 1.2


def test_alone_as_in_company() -> None:
    together = shapley(tolerance=0.15, max_paths=10_000)
    for i in range(N):
        alone = shapley({"x": X["x"][[i]]}, tolerance=0.15, max_paths=10_000)
        np.testing.assert_allclose(alone.values["x"][0], together.values["x"][i], atol=1e-12)
        assert paths_of(alone)[0] == paths_of(together)[i]


def test_the_values_still_add_up() -> None:
    got = shapley(tolerance=0.3)
    np.testing.assert_allclose(
        got.values["x"].sum(axis=1), got.score - got.baseline_score, atol=1e-12
    )


def test_what_the_most_paths_do_not_reach_is_said() -> None:
    got = shapley(tolerance=1e-6, max_paths=40)
    assert (error_of(got) > 1e-6).all() and (paths_of(got) == 40).all()


def test_all_coalitions_are_asked_where_that_is_no_more_work() -> None:
    wide = {"x": X["x"][:, :8]}
    model = FunctionModel(
        lambda x: network({"x": np.pad(x["x"], ((0, 0), (0, P - 8)))}), MODEL.gradient, frozenset()
    )
    method = SampledShapley(path_count=2, tolerance=1e-9)
    got = sampled_shapley(model, wide, [{"x": np.zeros((1, 8))}], TARGET, method)
    every = sampled_shapley(
        model, wide, [{"x": np.zeros((1, 8))}], TARGET, SampledShapley(path_count=50)
    )
    np.testing.assert_allclose(got.values["x"], every.values["x"], atol=1e-12)
    assert (error_of(got) == 0).all()


def test_an_instance_that_is_its_baseline_is_done_at_once() -> None:
    got = shapley({"x": np.concatenate([np.zeros((1, P)), X["x"][:1]])}, tolerance=0.05)
    assert np.isnan(error_of(got)[0]) and not got.values["x"][0].any()
    assert paths_of(got)[0] == 32 < paths_of(got)[1]


def test_pictures_of_regions_have_their_own_paths() -> None:
    picture = {"x": X["x"].reshape(N, 2, 7)}
    model = FunctionModel(
        lambda x: network({"x": x["x"].reshape(-1, P)}), MODEL.gradient, frozenset()
    )
    regions = {"x": np.stack([np.arange(14).reshape(2, 7)] * N)}
    method = SampledShapley(tolerance=0.2, max_paths=10_000)
    baselines = [{"x": np.zeros((1, 2, 7))}]
    got = sampled_shapley(model, picture, baselines, TARGET, method, regions=regions)
    elements = shapley(tolerance=0.2, max_paths=10_000)
    np.testing.assert_allclose(
        got.values["x"].reshape(N, P), elements.values["x"], rtol=0, atol=1e-12
    )
    np.testing.assert_array_equal(paths_of(got), paths_of(elements))


@pytest.mark.parametrize(("tolerance", "most", "said"), [(0.02, 400, False), (1e-9, 20, True)])
def test_on_a_sample_model_from_the_command_line(
    program: Any, samples: Path, tolerance: float, most: int, said: bool
) -> None:
    run = program(
        "explain", samples / "diabetes/model", samples / "diabetes/instances.json",
        "--method", "sampled-shapley", "--tolerance", tolerance, "--max-steps", most,
    )  # fmt: skip
    assert run.code == 0, run.err
    for explanation in json.loads(run.out)["explanations"]:
        (label,) = explanation["attributions_by_label"]
        assert (label["approx_error"] > tolerance) is said
        assert 16 <= explanation["diagnostics"][0]["paths"] <= most or label["approx_error"] == 0
    sentence = f"above the tolerance of {tolerance:g}, after 20 paths (4 of 4 instances"
    assert (sentence in run.err) is said
