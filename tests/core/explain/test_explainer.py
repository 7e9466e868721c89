"""`Explainer`: which outputs, which baselines, which warnings, which refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.served import ServedFunction
from pellucid.errors import InstanceError, NotDifferentiableError, SpecError
from pellucid.explain.explainer import Explainer
from pellucid.metadata.example_spec import Examples
from pellucid.metadata.parameters import ExplanationParameters, IntegratedGradients, SampledShapley
from pellucid.metadata.spec import ExplanationMetadata, InputSpec, OutputSpec, ValueBaseline
from pellucid.model import FunctionModel, Obstacle

WEIGHTS = np.array([[1.0, 0.0, -1.0, 2.0], [0.5, 0.5, 0.5, 0.5], [0.0, 3.0, 0.0, 0.0]])


def linear(weights: Any = WEIGHTS, shape: tuple[int, ...] = (4,), **options: Any) -> ServedFunction:
    model = FunctionModel(
        lambda x: x["x"] @ weights,
        lambda x, target: {"x": weights.T[target]},
        frozenset({"x"}),
    )
    return ServedFunction(model, shape, **options)


def explainer(model: ServedFunction | None = None, **parameters: Any) -> Explainer:
    metadata = ExplanationMetadata(
        inputs=(InputSpec(name="x", tensor_name="x:0"),),
        output=OutputSpec(name="y", tensor_name="y:0"),
    )
    return Explainer(
        model=model or linear(),
        metadata=metadata,
        parameters=ExplanationParameters(**parameters),
        input_keys={"x": "x"},
    )


X = {"x": np.array([[1.0, 2.0, 3.0], [2.0, -1.0, 0.0]])}
SCORES = X["x"] @ WEIGHTS


def test_the_argmax_is_explained_by_default() -> None:
    found = explainer().explain(X)
    assert [[label.index for label in e.labels] for e in found] == [[(1,)], [(3,)]]
    np.testing.assert_allclose(found[0].labels[0].values["x"], X["x"][0] * WEIGHTS[:, 1])
    assert found[0].labels[0].score == pytest.approx(SCORES[0, 1])
    np.testing.assert_allclose(found[1].prediction, SCORES[1])


def test_ties_go_to_the_lower_index() -> None:
    model = linear(np.ones((3, 4)))
    (found,) = explainer(model, top_k=3).explain({"x": np.array([[1.0, 2.0, 3.0]])})
    assert [label.index for label in found.labels] == [(0,), (1,), (2,)]


@pytest.mark.parametrize("k, count", [(1, 1), (3, 3), (4, 4), (99, 4), (-1, 4)])
def test_top_k_is_in_order_of_the_score(k: int, count: int) -> None:
    for found, scores in zip(explainer(top_k=k).explain(X), SCORES, strict=True):
        expected = np.argsort(-scores, kind="stable")[:count]
        assert [label.index[0] for label in found.labels] == expected.tolist()
        for label in found.labels:
            np.testing.assert_allclose(label.score, scores[label.index[0]])


def test_output_indices_are_taken_as_given_and_go_before_top_k() -> None:
    chosen = explainer(output_indices=((3,), (0,)), top_k=1)
    for found in chosen.explain(X):
        assert [label.index for label in found.labels] == [(3,), (0,)]


@pytest.mark.parametrize(
    "shape, index, sentence",
    [
        ((4,), (4,), "outputIndices: 4 is outside the output, whose shape for one instance is [4]"),
        (
            (4,),
            (-1,),
            "outputIndices: -1 is outside the output, whose shape for one instance is [4]",
        ),
        (
            (2, 2),
            (1,),
            "outputIndices: 1 has 1 axes and the output of one instance has 2, [2, 2]",
        ),
    ],
)
def test_an_index_outside_the_output(
    shape: tuple[int, ...], index: tuple[int, ...], sentence: str
) -> None:
    with pytest.raises(SpecError) as error:
        explainer(linear(shape=shape), output_indices=(index,)).explain(X)
    assert str(error.value) == sentence


def test_an_output_of_rank_two_is_indexed_along_both_axes() -> None:
    (first, _) = explainer(linear(shape=(2, 2)), output_indices=((1, 0),)).explain(X)
    assert first.labels[0].index == (1, 0)
    assert first.labels[0].score == pytest.approx(SCORES[0, 2])


def test_a_scalar_output_has_no_index() -> None:
    model = linear(WEIGHTS[:, :1], shape=())
    (first, _) = explainer(model).explain(X)
    assert first.labels[0].index == ()


def test_names_come_from_the_mapping_or_from_the_model() -> None:
    plain = explainer(linear(names=np.array([[b"a", b"b", b"c", b"d"]] * 2, dtype=object)))
    assert [e.labels[0].name for e in plain.explain(X)] == ["b", "d"]
    output = OutputSpec(name="y", index_name_mapping=("one", "two", "three"))
    mapped = replace(plain, metadata=replace(plain.metadata, output=output))
    # Fewer names than outputs: what has no name has none.
    assert [e.labels[0].name for e in mapped.explain(X)] == ["two", None]


def test_baselines_are_averaged_and_default_to_zero() -> None:
    spec = InputSpec(
        name="x", tensor_name="x:0", input_baselines=(ValueBaseline(1), ValueBaseline((0, 2, 4)))
    )
    chosen = explainer(output_indices=((3,),))
    chosen = replace(chosen, metadata=replace(chosen.metadata, inputs=(spec,)))
    (first, _) = chosen.explain(X)
    label = first.labels[0]
    mean = np.mean([[1, 1, 1], [0, 2, 4]], axis=0)
    np.testing.assert_allclose(label.values["x"], (X["x"][0] - mean) * WEIGHTS[:, 3])
    assert label.baseline_score == pytest.approx(mean @ WEIGHTS[:, 3])


def test_a_baseline_that_does_not_fit_is_refused() -> None:
    spec = InputSpec(name="x", tensor_name="x:0", input_baselines=(ValueBaseline((1, 2)),))
    chosen = explainer()
    chosen = replace(chosen, metadata=replace(chosen.metadata, inputs=(spec,)))
    with pytest.raises(SpecError) as error:
        chosen.explain(X)
    assert str(error.value) == (
        "inputs.x: a baseline has shape [2], and the tensor 'x:0' has [3] for one instance; give "
        "that shape, or one number"
    )


def test_an_output_that_is_not_finite_names_the_instance() -> None:
    x = {"x": np.array([[1.0, 2.0, 3.0], [np.inf, 0.0, 0.0]])}
    weights = np.abs(WEIGHTS) + 1
    # Some kernels of BLAS multiply by the zeros, too, that they fill their blocks up with.
    with pytest.raises(InstanceError) as error, np.errstate(invalid="ignore"):
        explainer(linear(weights)).explain(x, numbers=[10, 11])
    assert error.value.index == 11
    assert str(error.value) == (
        "instances[11]: the model's output is not finite (inf at output 'y' [0]), which "
        "nothing can explain"
    )


STEP = ServedFunction(
    FunctionModel(
        lambda x: np.floor(x["x"]).sum(1, keepdims=True),
        lambda x, target: {"x": np.zeros_like(x["x"])},
        frozenset({"x"}),
    ),
    (1,),
)


def test_a_gradient_of_zero_is_refused_where_the_output_moves() -> None:
    """It is the graph that tells of the step; the second row is that of the baseline."""
    model = replace(STEP, obstacles={"x": Obstacle(node="stairs", op="Sign", whole=True)})
    for rows in (X, {"x": X["x"][:1]}):
        with pytest.raises(NotDifferentiableError) as error:
            explainer(model).explain(rows)
        assert str(error.value).startswith(
            "the gradient is exactly 0 everywhere between baseline and instance: operation "
            "'stairs' (Sign) on the way from 'x' to the output is a step, so that integrated "
            "gradients would say that nothing matters; "
        )
    (still,) = explainer(model).explain({"x": X["x"][:1] * 0.1})
    assert not still.labels[0].values["x"].any()


def test_a_feature_without_a_gradient_is_refused_unless_the_metadata_were_inferred() -> None:
    model = FunctionModel(
        lambda x: (x["x"] * x["k"][:, None]).sum(1, keepdims=True),
        lambda x, target: {"x": np.repeat(x["k"][:, None], 3, axis=1).astype(float)},
        frozenset({"x"}),
    )
    inputs = (InputSpec(name="x", tensor_name="x:0"), InputSpec(name="k", tensor_name="k:0"))
    chosen = explainer(ServedFunction(model, (1,)))
    chosen = replace(chosen, metadata=replace(chosen.metadata, inputs=inputs))
    request = {**X, "k": np.array([2, 3])}
    with pytest.raises(NotDifferentiableError) as error:
        chosen.explain(request)
    assert str(error.value) == (
        "no gradient reaches 'k' (k:0), so integrated gradients cannot explain it; use "
        "method='sampled-shapley'"
    )
    (first, _) = replace(chosen, explicit=False).explain(request)
    np.testing.assert_allclose(first.labels[0].features["x"], X["x"][0] * 2)
    assert "k" not in first.labels[0].features


def test_warnings_of_an_error_that_is_large_or_undefined() -> None:
    square = FunctionModel(
        lambda x: (x["x"] ** 2).sum(1, keepdims=True),
        lambda x, target: {"x": 2 * x["x"]},
        frozenset({"x"}),
    )
    chosen = explainer(ServedFunction(square, (1,)), method=IntegratedGradients(step_count=1))
    cube = FunctionModel(
        lambda x: (x["x"] ** 3).sum(1, keepdims=True),
        lambda x, target: {"x": 3 * x["x"] ** 2},
        frozenset({"x"}),
    )
    exact = chosen.explain({"x": np.array([[1.0, 2.0, 3.0]])})[0]
    assert exact.warnings == () and exact.labels[0].approx_error == pytest.approx(0, abs=1e-12)
    nothing = chosen.explain({"x": np.zeros((1, 3))})[0]
    assert nothing.labels[0].approx_error is None
    assert nothing.warnings[0].what.startswith(
        "the output equals that of the baseline for output [0]"
    )
    coarse = replace(chosen, model=ServedFunction(cube, (1,))).explain(X)[0]
    # One midpoint of 3 a² over [0, 1] is 3/4, a quarter short.
    assert coarse.labels[0].approx_error == pytest.approx(0.25)
    assert str(coarse.warnings[0]).startswith("approx_error is 0.25 for output [0], above 0.05")
    output = OutputSpec(name="y", index_name_mapping=("cat",))
    named = replace(chosen.metadata, output=output)
    coarse = replace(chosen, model=ServedFunction(cube, (1,)), metadata=named).explain(X)[0]
    assert str(coarse.warnings[0]).startswith("approx_error is 0.25 for 'cat', above 0.05")


def test_a_model_that_repeats_no_answer_is_said_to() -> None:
    found = explainer(linear(random_ops=("RandomUniform",)), output_indices=((0,),)).explain(X)
    assert "answers differently each time (RandomUniform)" in found[0].warnings[0].what


def test_neighbours_need_examples() -> None:
    with pytest.raises(SpecError, match=r"^there are no examples to find neighbours among$"):
        explainer(method=Examples()).explain(X)


def test_sampled_shapley_explains_what_has_no_gradient() -> None:
    """f = floor(x) · k, a step times an integer: 3 players and 2 factors, exact by enumeration."""
    step = FunctionModel(
        lambda x: (np.floor(x["x"]).sum(1) * x["k"])[:, None],
        lambda x, target: {},
        frozenset(),
    )
    inputs = (
        InputSpec(name="x", tensor_name="x:0"),
        InputSpec(name="k", tensor_name="k:0", input_baselines=(ValueBaseline(1),)),
    )
    chosen = explainer(ServedFunction(step, (1,)), method=SampledShapley(path_count=20))
    chosen = replace(chosen, metadata=replace(chosen.metadata, inputs=inputs))
    (found,) = chosen.explain({"x": np.array([[1.5, 2.5, 3.5]]), "k": np.array([3])})
    features = found.labels[0].features
    # Each step alone adds 1, 2, 3 with k = 1; k adds 2 to each of them; half of that is shared.
    np.testing.assert_allclose(features["x"], [2.0, 4.0, 6.0])
    np.testing.assert_allclose(features["k"], 6.0)
    assert found.labels[0].approx_error == 0 and found.warnings == ()


def test_sampled_shapley_takes_input_baselines_and_groups() -> None:
    inputs = (
        InputSpec(
            name="x",
            tensor_name="x:0",
            group_name="all",
            input_baselines=(ValueBaseline((1, 1, 1)),),
            encoded_baselines=(),
        ),
    )
    chosen = explainer(method=SampledShapley(path_count=2), output_indices=((0,),))
    chosen = replace(chosen, metadata=replace(chosen.metadata, inputs=inputs))
    (first, _) = chosen.explain(X)
    label = first.labels[0]
    assert list(label.features) == ["all"]
    np.testing.assert_allclose(label.features["all"], [label.score - label.baseline_score])
    assert label.baseline_score == pytest.approx(WEIGHTS[:, 0].sum())


def test_a_blurred_baseline_is_the_image_itself_without_its_detail() -> None:
    model = FunctionModel(
        lambda x: x["x"].reshape(len(x["x"]), -1).sum(1, keepdims=True),
        lambda x, target: {"x": np.ones_like(x["x"])},
        frozenset({"x"}),
    )
    image = np.zeros((1, 9, 9, 3))
    image[0, 4, 4] = 1.0
    method = IntegratedGradients(step_count=2, max_blur_sigma=1.0)
    (found,) = explainer(ServedFunction(model, (1,)), method=method).explain({"x": image})
    values = found.labels[0].values["x"]
    assert (
        values[4, 4, 0] > 0.5
        and values[4, 3, 0] < 0
        and values[0, 0, 0] == pytest.approx(0, abs=1e-4)
    )
    # A blur keeps the sum, so that nothing is left to attribute but detail.
    assert values.sum() == pytest.approx(0, abs=1e-6)
    assert np.ptp(values, axis=2).max() < 1e-12  # channels are not blurred into each other


def test_a_single_path_has_no_error_and_says_so() -> None:
    chosen = explainer(method=SampledShapley(path_count=1), output_indices=((0,),))
    square = FunctionModel(
        lambda x: np.repeat((x["x"].sum(1) ** 2)[:, None], 4, axis=1),
        lambda x, target: {},
        frozenset(),
    )
    x = {"x": np.array([[1.0, 2.0, 4.0]])}
    (found,) = replace(chosen, model=ServedFunction(square, (4,))).explain(x)
    assert found.labels[0].approx_error is None
    assert tuple(map(str, found.warnings)) == (
        "approx_error is undefined for output [0]: a single path has no spread; raise paths=…",
    )


def test_attributions_that_are_not_finite_are_refused() -> None:
    broken = FunctionModel(
        lambda x: x["x"] @ WEIGHTS,
        lambda x, target: {"x": np.where(x["x"] > 1.9, np.nan, WEIGHTS.T[target])},
        frozenset({"x"}),
    )
    with pytest.raises(InstanceError) as raised:
        explainer(ServedFunction(broken, (4,))).explain({"x": X["x"] * [[0.5], [1.0]]}, [7, 8])
    assert str(raised.value) == (
        "instances[8]: the attributions of 'x' are not finite: the model overflows between the "
        "baseline and the instance"
    )
    assert raised.value.index == 8
