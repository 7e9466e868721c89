"""What a method leaves as it is, is named; what its gradients say is told apart by the graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.served import ServedFunction
from pellucid.errors import InstanceError, NotDifferentiableError
from pellucid.explain.explainer import Explainer
from pellucid.metadata.parameters import (
    ExplanationParameters,
    IntegratedGradients,
    Lime,
    Players,
    SampledShapley,
    Xrai,
)
from pellucid.metadata.spec import (
    ExplanationMetadata,
    InputSpec,
    Modality,
    OutputSpec,
    ValueBaseline,
)
from pellucid.model import FunctionModel, Obstacle

ROWS = {"x": np.array([[1.0, 2.0], [3.0, 1.0]]), "k": np.array([2, 3])}
# f = k (x₀ + x₁), and the gradient reaches x alone.
SUM = FunctionModel(
    lambda x: x["x"].sum(1, keepdims=True) * np.reshape(x["k"], (-1, 1)),
    lambda x, target: {"x": np.repeat(np.reshape(x["k"], (-1, 1)), 2, axis=1).astype(float)},
    frozenset({"x"}),
)


def explainer(model: ServedFunction, *names: str, method: Any = None, **inputs: Any) -> Explainer:
    specs = tuple(InputSpec(name=name, tensor_name=f"{name}:0", **inputs) for name in names)
    return Explainer(
        model=model,
        metadata=ExplanationMetadata(inputs=specs, output=OutputSpec(name="y")),
        parameters=ExplanationParameters(method=method or IntegratedGradients()),
        input_keys={name: name for name in names},
        explicit=False,
    )


def said(found: Any) -> list[str]:
    return [str(notice) for notice in found.warnings]


def test_a_feature_without_a_gradient_is_named_however_small_the_error() -> None:
    for found in explainer(ServedFunction(SUM, ()), "x", "k").explain(ROWS):
        (label,) = found.labels
        assert label.approx_error is not None and label.approx_error < 1e-9
        assert found.held == ("k",) and found.general == found.warnings
        assert said(found) == [
            "held as each instance has it, and given no attribution: 'k', which no gradient "
            "reaches; method='sampled-shapley' explains features without a gradient, too"
        ]


@pytest.mark.parametrize(
    ("explicit", "why"),
    [(True, "the metadata do not name"), (False, "inferred metadata leave out")],
)
def test_an_input_that_is_no_feature_is_named(explicit: bool, why: str) -> None:
    model = ServedFunction(SUM, (), held=("k",))
    it = replace(explainer(model, "x", method=SampledShapley()), explicit=explicit)
    (found, _) = it.explain(ROWS)
    assert found.held == ("k",)
    assert said(found) == [
        f"held as each instance has it, and given no attribution: 'k', which {why}"
    ]


def test_a_gradient_that_the_graph_says_is_0_is_none() -> None:
    """f = x₀ + sign(s): the second is held, and is refused where it was asked for."""
    model = FunctionModel(
        lambda x: x["x"][:, :1] + np.sign(x["s"]),
        lambda x, target: {"x": np.ones_like(x["x"]) * [1, 0], "s": np.zeros_like(x["s"])},
        frozenset({"x", "s"}),
    )
    rows = {"x": np.array([[1.0, 2.0]]), "s": np.array([[5.0]])}
    stairs = {"s": Obstacle(node="stairs", op="Sign", whole=True)}
    chosen = explainer(ServedFunction(model, (), obstacles=stairs), "x", "s")
    assert chosen.explain(rows)[0].held == ("s",)
    with pytest.raises(NotDifferentiableError, match=r"'s' \(s:0\).*operation 'stairs' \(Sign\)"):
        replace(chosen, explicit=True).explain(rows)
    # Another way leads to the output: that it is 0 here says nothing of elsewhere.
    beside = {"s": Obstacle(node="stairs", op="Sign", whole=False)}
    assert (
        explainer(ServedFunction(model, (), obstacles=beside), "x", "s").explain(rows)[0].held == ()
    )


def late(x: Any) -> Any:
    """σ(1000 (x₀ − 1.5)), which is 0 and then 1, in as good as no time."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-1000.0 * (x["x"][:, :1] - 1.5)))


LATE = FunctionModel(late, lambda x, target: {"x": np.zeros_like(x["x"])}, frozenset({"x"}))


def test_a_saturated_output_is_told_from_a_step() -> None:
    (found,) = explainer(ServedFunction(LATE, (1,), squasher="Sigmoid"), "x").explain(
        {"x": np.array([[2.0, 1.0]])}
    )
    assert said(found) == [
        "approx_error is 1 for output [0], above 0.05: the gradient is 0 at each point that was "
        "asked, as the sigmoid of the output is saturated at the instance (1); explain the score "
        "before it with logits=True, or take more steps=…"
    ]


@pytest.mark.parametrize(
    "obstacles, why",
    [
        ({}, "the gradient is 0 at each point that was asked; raise steps=… or choose another"),
        (
            {"x": Obstacle(node="above", op="Greater", whole=False)},
            "part of the way from 'x' to the output passes operation 'above' (Greater), which has "
            "no gradient; method='sampled-shapley' needs none",
        ),
    ],
)
def test_zeros_of_a_few_points_are_no_verdict_on_the_model(
    obstacles: dict[str, Obstacle], why: str
) -> None:
    model = ServedFunction(LATE, (1,), obstacles=obstacles)
    (found,) = explainer(model, "x").explain({"x": np.array([[2.0, 1.0]])})
    assert f"approx_error is 1 for output [0], above 0.05: {why}" in said(found)[0]


def test_a_verdict_is_the_same_alone_and_in_company() -> None:
    rows = np.array([[2.0, 1.0], [1.5004, 1.0], [0.0, 0.0]])
    model = FunctionModel(
        late, lambda x, target: {"x": late(x) * (1 - late(x)) * [1000.0, 0.0]}, frozenset({"x"})
    )
    chosen = explainer(ServedFunction(model, (1,), squasher="Sigmoid"), "x")
    together = [said(it) for it in chosen.explain({"x": rows})]
    assert together == [said(chosen.explain({"x": rows[[i]]})[0]) for i in range(len(rows))]
    assert len(set(map(str, together))) == 3


def test_xrai_is_not_refused_where_the_best_channel_of_every_pixel_is_0() -> None:
    """f = −Σ of the first channel: the second has no part in it, and is the maximum."""
    model = FunctionModel(
        lambda x: -x["x"][..., 0].sum((1, 2))[:, None],
        lambda x, target: {"x": np.broadcast_to([-1.0, 0.0, 0.0], x["x"].shape)},
        frozenset({"x"}),
    )
    method = Xrai(step_count=2)
    picture = np.random.default_rng(0).random((1, 12, 12, 3))
    baseline = (ValueBaseline(0),)
    chosen = explainer(ServedFunction(model, (1,)), "x", method=method, input_baselines=baseline)
    (found,) = chosen.explain({"x": picture})
    assert not found.labels[0].values["x"].any() and not found.labels[0].flat
    assert found.labels[0].approx_error == pytest.approx(0, abs=1e-9)
    assert said(found) == []


# Baselines and instances without a score

LOG = FunctionModel(
    lambda x: np.log(x["x"].reshape(len(x["x"]), -1).sum(1))[:, None] * [1.0, -1.0],
    lambda x, target: {"x": np.ones_like(x["x"]) / x["x"].sum()},
    frozenset({"x"}),
)
PICTURE = np.ones((2, 8, 8, 3))


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize(
    "method, name",
    [
        (IntegratedGradients(), "baseline (0 for 'x')"),
        (IntegratedGradients(tolerance=0.1), "baseline (0 for 'x')"),
        (SampledShapley(players=Players.REGIONS), "baseline (0 for 'x')"),
        (Xrai(), "baseline 1 of 2 (black for 'x')"),
    ],
)
def test_a_baseline_without_a_score_is_refused_by_name(method: Any, name: str) -> None:
    chosen = explainer(ServedFunction(LOG, (2,)), "x", method=method)
    with pytest.raises(InstanceError) as caught:
        chosen.explain({"x": PICTURE}, [7, 8])
    assert str(caught.value) == (
        f"instances[7]: the score of {name} is -inf at output 'y' [0], and no attributions add up "
        "to a difference from that; choose another baseline=…"
    )


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_the_second_of_two_written_baselines_is_the_one_that_is_named() -> None:
    two = (ValueBaseline(1), ValueBaseline(0))
    chosen = explainer(ServedFunction(LOG, (2,)), "x", input_baselines=two)
    with pytest.raises(InstanceError, match=r"baseline 2 of 2 \(inputs\.x\.input_baselines\[1\]\)"):
        chosen.explain({"x": PICTURE})


def test_what_is_not_explained_may_be_masked_and_what_is_may_not() -> None:
    masked = FunctionModel(
        lambda x: x["x"] @ np.ones((2, 1)) * [1.0, 0.5] + [0.0, -np.inf],
        lambda x, target: {"x": np.ones_like(x["x"])},
        frozenset({"x"}),
    )
    chosen = explainer(ServedFunction(masked, (2,)), "x")
    assert chosen.explain({"x": ROWS["x"]})[0].labels[0].index == (0,)
    asked = replace(chosen, parameters=ExplanationParameters(output_indices=((1,),)))
    with pytest.raises(InstanceError, match=r"not finite \(-inf at output 'y' \[1\]\)"):
        asked.explain({"x": ROWS["x"]})


# What is hidden and looks as it is shown

BLACK = np.concatenate([np.zeros((1, 16, 16, 3)), np.random.default_rng(1).random((1, 16, 16, 3))])
# Rounded as in another batch: the answer for a row depends on how many stand beside it.
BRIGHT = FunctionModel(
    lambda x: x["x"].mean((1, 2, 3))[:, None] + 0.3 + 1e-9 * len(x["x"]),
    lambda x, target: {"x": np.full_like(x["x"], 1 / 768)},
    frozenset({"x"}),
)


@pytest.mark.parametrize(
    "method, sentence",
    [
        (Lime(num_samples=60), "hidden patches are painted as the picture is for output [0]"),
        (SampledShapley(players=Players.REGIONS, path_count=4), "the output equals that of the"),
        (IntegratedGradients(step_count=3), "the output equals that of the baseline"),
    ],
)
def test_a_picture_that_is_its_baseline_gets_zeros_and_a_word(method: Any, sentence: str) -> None:
    black, other = explainer(ServedFunction(BRIGHT, (1,)), "x", method=method).explain({"x": BLACK})
    assert not black.labels[0].values["x"].any() and other.labels[0].values["x"].any()
    assert black.labels[0].approx_error is None
    assert sentence in said(black)[0] and sentence not in str(said(other))


def test_coefficients_of_a_score_that_never_changes_are_0() -> None:
    still = replace(BRIGHT, function=lambda x: np.full((len(x["x"]), 1), 0.7))
    chosen = explainer(ServedFunction(still, (1,)), "x", method=Lime(num_samples=40))
    (_, found) = chosen.explain({"x": BLACK})
    assert not found.labels[0].values["x"].any()
    assert said(found) == [
        "the output is the same whichever patches are hidden for output [0]: nothing to attribute"
    ]


@pytest.mark.parametrize("method", [Xrai(), Lime(num_samples=20), SampledShapley()])
def test_methods_of_pictures_explain_the_picture_beside_numbers(method: Any) -> None:
    """f = mean of the picture · age: the age is held by methods that explain pictures only."""

    def f(x: Any) -> Any:
        return x["photo"].mean(axis=(1, 2)).reshape(-1, 1) * np.reshape(x["age"], (-1, 1))

    def slope(x: Any, target: Any) -> Any:
        size = np.prod(np.shape(x["photo"])[1:])
        age = np.reshape(x["age"], (-1, 1, 1))
        mean = x["photo"].mean(axis=(1, 2))
        return {"photo": np.broadcast_to(age / size, np.shape(x["photo"])), "age": mean}

    model = FunctionModel(f, slope, frozenset({"photo", "age"}))
    photo = np.linspace(0.2, 1, 256, dtype=np.float32).reshape(1, 16, 16)
    if isinstance(method, SampledShapley):
        method = replace(method, players=Players.REGIONS)
    it = explainer(ServedFunction(model, ()), "photo", "age", method=method)
    photos = replace(it.metadata.inputs[0], modality=Modality.IMAGE)
    it = replace(it, metadata=replace(it.metadata, inputs=(photos, it.metadata.inputs[1])))
    (found,) = it.explain({"photo": photo, "age": np.array([3.0])})
    (label,) = found.labels
    assert label.features["photo"].any()
    if isinstance(method, SampledShapley):
        assert found.held == () and label.features["age"]
        return
    assert found.held == ("age",) and "age" not in label.features
    assert said(found)[0] == (
        f"held as each instance has it, and given no attribution: 'age', which {method.title} does "
        "not explain; method='sampled-shapley' explains features without a gradient, too"
    )
    if isinstance(method, Xrai):
        assert label.features["photo"].sum() == pytest.approx(label.score - label.baseline_score)
