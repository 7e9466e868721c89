"""Missing values, ids and names of columns, from a call to its answer; numbers by brute force."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.api import unpack
from pellucid.errors import InstanceError, SpecError
from pellucid.inputs import read_file
from pellucid.metadata import Dialect
from pellucid.runtime.engine.tensorflow import tf

NAN = math.nan
WEIGHT = np.array([1.5, -2.0, 0.7, 3.0])


def score(x: np.ndarray) -> float:
    """What the model says of one row; what is missing counts as 0.3."""
    x = np.where(np.isnan(x), 0.3, x)
    return float(np.tanh(x @ WEIGHT / 4) + x[0] * x[3])


def shapley(x: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Return the Shapley values by their definition, over all subsets."""
    n = len(x)
    found = np.zeros(n)
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            for chosen in combinations(others, size):
                without = np.where(np.isin(np.arange(n), chosen), x, baseline)
                having = np.where(np.isin(np.arange(n), [*chosen, i]), x, baseline)
                found[i] += weight * (score(having) - score(without))
    return found


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def serve(x: Any) -> Any:
        x = tf.where(tf.math.is_nan(x), tf.constant(0.3, x.dtype), x)
        return {"y": tf.tanh(tf.linalg.matvec(x, WEIGHT) / 4) + x[:, 0] * x[:, 3]}

    spec = tf.TensorSpec([None, 4], tf.float64, "x")
    path = tmp_path_factory.mktemp("missing")
    traced = tf.function(serve).get_concrete_function(x=spec)
    tf.saved_model.save(tf.Module(), str(path), signatures=traced)
    return path


Load = Callable[..., Any]


@pytest.fixture
def load(directory: Path) -> Load:
    def loaded(**options: Any) -> Any:
        said: list[str] = []
        made = pellucid.load(directory, warn=lambda it: said.append(str(it)), **options)
        said.clear()  # of what was inferred
        return made, said

    return loaded


def values(explanations: Any, number: int = 0) -> np.ndarray:
    return np.asarray(explanations[number].labels[0].features["x"])


def test_nan_goes_to_the_model_under_shapley_and_predict(load: Load) -> None:
    model, said = load(method="sampled-shapley", missing="nan")
    row = np.array([1.0, NAN, 0.5, 2.0])
    found = model.explain([[1.0, None, 0.5, 2.0], [1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_allclose(values(found), shapley(row, np.zeros(4)), atol=1e-12)
    assert found[0].labels[0].score == pytest.approx(score(row), abs=1e-12)
    assert found[0].labels[0].approx_error == 0
    assert model.predict(np.array([row]))[0] == pytest.approx(score(row), abs=1e-12)
    assert said[0] == "1 missing value in 1 of 2 instances: NaN stands for them"


def test_nan_never_goes_to_gradients(load: Load) -> None:
    model, _ = load(missing="nan")
    with pytest.raises(InstanceError) as caught:
        model.explain([[1.0, 2.0, 3.0, 4.0], [1.0, None, 0.5, 2.0]])
    assert str(caught.value) == (
        "instances[1]: has a missing value in 'x', NaN, and so would be every gradient; choose "
        "missing='baseline' or method='sampled-shapley'"
    )


def test_the_mean_is_that_of_the_instances_that_have_a_value(load: Load) -> None:
    rows = [[1.0, None, 0.5, 2.0], [3.0, 4.0, None, 1.0], [2.0, 6.0, 1.5, 0.0]]
    whole = [[1.0, 5.0, 0.5, 2.0], [3.0, 4.0, 1.0, 1.0], [2.0, 6.0, 1.5, 0.0]]
    model, said = load(missing="mean")
    expected, _ = load()
    found, wanted = model.explain(rows), expected.explain(whole)
    for i in range(3):
        np.testing.assert_array_equal(values(found, i), values(wanted, i))
    assert said == ["2 missing values in 2 of 3 instances: the mean of the others stands for them"]
    with pytest.raises(InstanceError, match="a missing value that no instance has"):
        model.explain([[1.0, None, 0.5, 2.0]])


def test_the_baseline_stands_for_what_is_missing(load: Load) -> None:
    for baseline, number in ((None, 0.0), (0.75, 0.75), ("zero", 0.0)):
        model, _ = load(missing="baseline", **({} if baseline is None else {"baseline": baseline}))
        found = model.explain([[1.0, None, 0.5, NAN]])
        assert found[0].given["x"].tolist() == [1.0, number, 0.5, number]
        assert values(found)[[1, 3]].tolist() == [0, 0]
    with pytest.raises(SpecError, match=r"the baseline is mean, which no missing value can be"):
        load(missing="baseline", baseline="mean")


def test_the_mean_as_baseline_leaves_out_what_is_missing(load: Load) -> None:
    model, _ = load(method="sampled-shapley", missing="nan", baseline="mean")
    found = model.explain([[1.0, None, 0.5, 2.0], [3.0, 4.0, 1.5, 4.0]])
    mean = np.array([2.0, 4.0, 1.0, 3.0])
    row = np.array([1.0, NAN, 0.5, 2.0])
    np.testing.assert_allclose(values(found), shapley(row, mean), atol=1e-12)


def test_a_model_that_answers_nan_is_told_from_one_that_overflows(tmp_path: Path) -> None:
    spec = tf.TensorSpec([None, 2], tf.float32, "x")
    traced = tf.function(lambda x: {"y": tf.reduce_sum(x, 1)}).get_concrete_function(x=spec)
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=traced)
    model = pellucid.load(
        tmp_path, method="sampled-shapley", missing="nan", warn=lambda message: None
    )
    with pytest.raises(InstanceError, match="has missing values, which the model does not handle"):
        model.explain([[1.0, None]])


def test_missing_values_are_refused_unless_it_is_said_what_they_are(load: Load) -> None:
    model, _ = load()
    with pytest.raises(InstanceError, match="say what stands for missing values: missing="):
        model.explain([[1.0, None, 0.5, 2.0]])
    with pytest.raises(SpecError, match="'zero' is unknown; choose one of refuse, nan, mean"):
        load(missing="zero")


def test_titles_of_columns_name_the_elements_in_answers(load: Load, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("who,a,b,c,d,target\nann,1,2,3,4,0\nbob,0,1,0,1,1\n")
    model, said = load(id_column="who", ignore_columns="target")
    found = model.explain(list(read_file(tmp_path / "t.csv", model.inputs, beside=model.beside)))
    body = json.loads(found.json())["explanations"]
    assert [it["id"] for it in body] == ["ann", "bob"]
    assert body[0]["feature_names"] == {"x": ["a", "b", "c", "d"]}
    assert body[0]["attributions_by_label"][0]["attributions"] == {"x": values(found).tolist()}
    assert said == []
    again = unpack(found.pack(), "t.npz")
    assert [it.id for it in again.instances] == ["ann", "bob"]
    assert again.metadata.inputs[0].index_feature_mapping == ("a", "b", "c", "d")
    vertex = json.loads(found.json(dialect=Dialect.VERTEX))["explanations"]
    assert [it["id"] for it in vertex] == ["ann", "bob"]
    assert model.metadata.inputs[0].index_feature_mapping is None
