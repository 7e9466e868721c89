"""Why not: the difference of two outputs is explained as one, by every method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.served import ServedFunction
from pellucid.errors import InstanceError, SpecError
from pellucid.explain.explainer import Explainer
from pellucid.metadata import (
    CallSettings,
    Examples,
    ExplanationMetadata,
    ExplanationParameters,
    IntegratedGradients,
    Lime,
    SampledShapley,
    SmoothGrad,
    Xrai,
    with_settings,
)
from pellucid.metadata.spec import InputSpec, Modality, OutputSpec
from pellucid.model import FunctionModel

SIDE, CLASSES = 10, 4
NAMES = ("ant", "bee", "cat", "bee")
_GENERATOR = np.random.default_rng(3)
_FIRST = _GENERATOR.normal(size=(SIDE * SIDE, 6)) / SIDE
_SECOND = _GENERATOR.normal(size=(6, CLASSES))
PICTURES = {"x": _GENERATOR.uniform(size=(2, SIDE, SIDE, 1))}


def scores(x: Any) -> Any:
    return np.tanh(x["x"].reshape(len(x["x"]), -1) @ _FIRST) @ _SECOND


def gradient(x: Any, target: Any) -> Any:
    hidden = np.tanh(x["x"].reshape(len(x["x"]), -1) @ _FIRST)
    return {"x": (((1 - hidden**2) * _SECOND.T[target]) @ _FIRST.T).reshape(x["x"].shape)}


BEST = scores(PICTURES).argmax(axis=1)
ORDER = np.argsort(-scores(PICTURES), axis=1)


def explainer(
    names: Any = None, shape: tuple[int, ...] = (CLASSES,), **parameters: Any
) -> Explainer:
    return Explainer(
        model=ServedFunction(FunctionModel(scores, gradient, frozenset({"x"})), shape),
        metadata=ExplanationMetadata(
            inputs=(InputSpec(name="x", tensor_name="x:0", modality=Modality.IMAGE),),
            output=OutputSpec(name="y", tensor_name="y:0", index_name_mapping=names),
        ),
        parameters=ExplanationParameters(**parameters),
        input_keys={"x": "x"},
        seed=5,
    )


@pytest.mark.parametrize(
    "method",
    [
        IntegratedGradients(step_count=7),
        IntegratedGradients(step_count=4, smooth_grad=SmoothGrad(noisy_sample_count=2)),
        SampledShapley(path_count=3),
        Lime(num_samples=300),
    ],
    ids=["ig", "smoothgrad", "shapley", "lime"],
)
def test_it_is_the_difference_of_two_explanations(method: Any) -> None:
    """All of these are linear in what is explained, with the same random numbers."""
    indices = ((0,), (3,))
    together = explainer(method=method, output_indices=indices, why_not=(1,)).explain(PICTURES)
    apart = explainer(method=method, output_indices=(*indices, (1,))).explain(PICTURES)
    for found, single in zip(together, apart, strict=True):
        *ones, other = single.labels
        for label, one in zip(found.labels, ones, strict=True):
            expected = one.values["x"] - other.values["x"]
            np.testing.assert_allclose(label.values["x"], expected, rtol=0, atol=1e-6)
            assert label.score == pytest.approx(one.score - other.score)
            base = one.baseline_score - other.baseline_score
            assert label.baseline_score == pytest.approx(base)


@pytest.mark.parametrize("method", [IntegratedGradients(), SampledShapley(), Xrai()])
def test_it_adds_up_to_the_difference(method: Any) -> None:
    for found in explainer(method=method, why_not=(1,)).explain(PICTURES):
        (label,) = found.labels
        total, change = label.values["x"].sum(), label.score - label.baseline_score
        assert total == pytest.approx(change, rel=1e-3)
        if not method.sampled:
            assert label.approx_error == pytest.approx(abs(total / change - 1), abs=1e-9)


def test_a_label_is_known_by_its_name_or_its_index() -> None:
    method = IntegratedGradients(step_count=3)
    by_name = explainer(NAMES, method=method, why_not="cat", output_indices=((0,),))
    by_index = replace(by_name, parameters=replace(by_name.parameters, why_not=(2,)))
    typed = replace(by_name, parameters=replace(by_name.parameters, why_not="2"))
    for each in (by_name, by_index, typed):
        (label,) = each.explain(PICTURES)[0].labels
        assert label.called == "ant rather than cat" and label.index == (0,)
    numbered = explainer(("3", "2", "1", "0"), why_not="3", output_indices=((1,),))
    assert numbered.explain(PICTURES)[0].labels[0].called == "2 rather than 3", (
        "the name comes first"
    )
    nameless = explainer(why_not=(1,), output_indices=((2,),)).explain(PICTURES)[0].labels[0]
    assert nameless.called == "[2] rather than [1]"
    square = explainer(shape=(2, 2), why_not=(0, 1), output_indices=((1, 1),)).explain(PICTURES)
    assert square[0].labels[0].called == "[1, 1] rather than [0, 1]"


def test_of_the_highest_the_one_compared_with_is_left_out_and_that_is_said() -> None:
    second = int(ORDER[0, 1])
    found = explainer(why_not=(second,), top_k=3).explain({"x": PICTURES["x"][:1]})[0]
    assert [label.index[0] for label in found.labels] == [it for it in ORDER[0, :3] if it != second]
    assert f"[{second}] is what others are compared with, and left out" in map(str, found.general)


@pytest.mark.parametrize(
    "names, shape, why_not, sentence",
    [
        (NAMES, (4,), "cta", "why_not: 'cta' is no label of the output 'y'; did you mean 'cat'?"),
        (NAMES, (4,), "wolf", "the labels are 'ant', 'bee', 'cat'"),
        (
            NAMES,
            (4,),
            "bee",
            "why_not: several outputs are called 'bee'; give the index of one: 1, 3",
        ),
        (None, (4,), "cat", "its labels have no names; give an index"),
        (None, (4,), (9,), "why_not: 9 is outside the output"),
        (None, (2, 2), (1,), "why_not: 1 has 1 axes and the output of one instance has 2"),
    ],
)
def test_a_label_that_is_none_is_refused(
    names: Any, shape: Any, why_not: Any, sentence: str
) -> None:
    with pytest.raises(SpecError) as caught:
        explainer(names, shape, why_not=why_not).explain(PICTURES)
    assert sentence in str(caught.value)


def test_nothing_is_explained_rather_than_itself() -> None:
    best = int(BEST[1])
    with pytest.raises(
        InstanceError, match=r"its label is .* itself, which nothing speaks for"
    ) as it:
        explainer(why_not=(best,)).explain({"x": PICTURES["x"][1:]}, [7])
    assert it.value.index == 7
    with pytest.raises(SpecError, match=r"why_not: \[2\] is also what is to be explained"):
        explainer(why_not=(2,), output_indices=((0,), (2,))).explain(PICTURES)


def test_one_number_and_neighbours_have_nothing_to_be_compared_with() -> None:
    one = explainer(shape=(), why_not="x")
    model = FunctionModel(lambda x: scores(x)[:, :1], gradient, frozenset({"x"}))
    one = replace(one, model=ServedFunction(model, ()))
    with pytest.raises(SpecError, match="'y' is one number, and there is no other to compare"):
        one.explain(PICTURES)
    with pytest.raises(SpecError, match="neighbours are those of the instance"):
        with_settings(ExplanationParameters(method=Examples()), CallSettings(why_not="cat"))
    for wrong in (True, 1.5, (0, "a")):
        with pytest.raises((SpecError, TypeError)):
            with_settings(ExplanationParameters(), CallSettings(why_not=wrong))
