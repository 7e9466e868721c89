"""Inputs and classes of two models that are the same, and what has no counterpart."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.comparison.diff.answers import Answers
from pellucid.comparison.diff.matching import Classes, Matched, Reading, pairs_of
from pellucid.inputs import Beside, InputInfo, Instance


def column(name: str, *, shape: tuple[int | None, ...] = (None, 1)) -> InputInfo:
    return InputInfo(name=name, dtype="float32", shape=shape)


def test_inputs_are_the_same_by_name_and_one_left_on_each_side_by_kind() -> None:
    pairs, said = pairs_of([column("a"), column("b")], [column("a"), column("c")])
    assert pairs == {"a": "a", "c": "b"}
    assert said == ["'b' of the first model is taken for 'c' of the second"]


def test_what_only_one_model_takes_is_said() -> None:
    pairs, said = pairs_of([column("a"), column("b")], [column("a"), column("c"), column("d")])
    assert pairs == {"a": "a"}
    assert said == [
        "'b': only the first model takes it",
        "'c', 'd': only the second model takes them",
    ]
    text = InputInfo(name="t", dtype="string", shape=(None,))
    assert pairs_of([column("a"), column("b")], [column("a"), text])[0] == {"a": "a"}


def test_an_instance_is_read_by_the_first_names_and_has_its_own() -> None:
    reading = Reading(inputs=(), beside=Beside(), names={"b": "c"})
    record = Instance(value=[1.0], tensors={"b": np.ones(1), "a": np.zeros(1)}, pictures=("b",))
    own = reading.own(record)
    assert {*own.tensors} == {"c", "a"} and own.pictures == ("c",)


def test_elements_have_the_first_models_names() -> None:
    empty = Reading(inputs=(), beside=Beside(), names={})
    matched = Matched(first=empty, second=empty, features={"c": "b", "a": "a"})
    assert [matched.named(it) for it in ("c", "c[3]", "c: word", "cc", "a", "row 1 of 8")] == [
        "b", "b[3]", "b: word", "cc", "a", "row 1 of 8",
    ]  # fmt: skip


def test_classes_are_matched_by_name_whatever_their_order() -> None:
    classes = Classes(
        ours=(3,), theirs=(4,), our_names=("cat", "dog", "owl"),
        their_names=("owl", "cat", "fox", "ant"),
    )  # fmt: skip
    assert [classes.theirs_of((i,)) for i in range(3)] == [(1,), None, (0,)]
    assert [it.tolist() for it in classes.pairs()] == [[0, 2], [1, 0]]
    assert classes.said == "only the first model knows 'dog'; only the second knows 'fox', 'ant'"


def test_classes_without_names_are_matched_by_place_which_is_said() -> None:
    assert Classes(ours=(3,), theirs=(3,)).said == ""
    classes = Classes(ours=(3,), theirs=(2,), our_names=("a", "b", "c"))
    assert classes.theirs_of((1,)) == (1,) and classes.theirs_of((2,)) is None
    assert "matched by place" in classes.said


def test_predictions_flip_by_class_and_by_the_middle_of_a_probability() -> None:
    several = Answers(classes=Classes(ours=(2,), theirs=(2,)))
    assert several.take(np.array([0.6, 0.4]), np.array([0.3, 0.7])) == pytest.approx(0.3)
    several.take(np.array([0.6, 0.4]), np.array([0.9, 0.1]))
    assert several.flips == [True, False]
    for values, flips in (
        ([(0.4, 0.6), (0.6, 0.9)], [True, False]),
        ([(-3.0, 9.0), (0.1, 0.9)], [False, False]),  # a measurement
    ):
        single = Answers(classes=Classes(ours=(1,), theirs=(1,)))
        for one, other in values:
            single.take(np.array([one]), np.array([other]))
        assert single.flips == flips
    logits = Answers(classes=Classes(ours=(), theirs=()), middle=0.0)
    logits.take(np.array(-3.0), np.array(9.0))
    assert logits.flips == [True]
