"""What was asked of a model within an evaluation is not asked again, and is answered alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.runtime import recalling
from pellucid.runtime.recall import Recall


def test_only_what_is_not_known_is_asked_and_all_of_it_is_answered() -> None:
    recall, owner, asked = Recall(), object(), []

    def answers(values: list[int]) -> list[int]:
        rows = np.array(values)

        def ask(some: Any) -> Any:
            asked.append(rows[some].tolist())
            return {"squares": rows[some] ** 2}

        return recall.asked(recall.keys(owner, "squares", [rows]), ask)["squares"].tolist()

    assert answers([1, 2]) == [1, 4]
    assert answers([3, 2, 3, 1]) == [9, 4, 9, 1]
    assert answers([2, 3]) == [4, 9]
    assert asked == [[1, 2], [3]]


@pytest.mark.parametrize("change", ["owner", "about", "same", "dtype", "row"])
def test_another_question_has_another_key(change: str) -> None:
    recall, owner, other = Recall(), object(), object()
    row, same = np.array([[1.0, 2.0]]), np.array([[3.0]])
    (key,) = recall.keys(owner, "paths", [row], [same])
    assert recall.keys(owner, "paths", [row.copy()], [same.copy()]) == [key]
    (another,) = {
        "owner": lambda: recall.keys(other, "paths", [row], [same]),
        "about": lambda: recall.keys(owner, "coalitions", [row], [same]),
        "same": lambda: recall.keys(owner, "paths", [row], [same + 1]),
        "dtype": lambda: recall.keys(owner, "paths", [row.view(np.int64)], [same]),
        "row": lambda: recall.keys(owner, "paths", [row[:, ::-1]], [same]),
    }[change]()
    assert another != key


def test_who_changes_an_answer_changes_no_later_one() -> None:
    recall, owner, rows = Recall(), object(), np.array([[1.0]])
    keys = recall.keys(owner, "rows", [rows])
    recall.asked(keys, lambda some: {"": rows[some]})[""][:] = 9
    assert recall.asked(keys, lambda some: {})[""].tolist() == [[1.0]]


def test_paths_and_coalitions_of_a_model_are_asked_once(
    samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of the second call that is new is asked alone, as are its coalitions."""
    model = pellucid.load(samples / "diabetes" / "model").explainer.model
    rows = np.random.default_rng(0).normal(size=(3, 10)).astype(np.float32)
    (name,) = model.differentiable
    asked: list[int] = []
    whole = type(model)._try

    def counting(self: Any, run: Any, kernel: str) -> Any:
        answer = whole(self, run, kernel)
        if kernel in ("path_gradient", "coalition_scores"):
            asked.append(np.size(answer) if kernel != "path_gradient" else len(answer[name]))
        return answer

    def paths(some: slice) -> Any:
        x, zero = {name: rows[some]}, {name: 0 * rows[some]}
        nodes, weights, target = np.array([0.5]), np.array([1.0]), np.zeros(len(rows[some]), int)
        return model.path_gradient(zero, x, nodes, weights, target)[name]

    def coalitions(count: int) -> Any:
        masks = {name: np.tri(10, dtype=bool)[:count]}
        x = {name: rows[:2]}
        return model.coalition_scores(x, {name: 0 * rows[:2]}, masks, np.zeros(2, int))

    expected = [paths(slice(0, 2)), paths(slice(0, 3)), coalitions(4), coalitions(6)]
    monkeypatch.setattr(type(model), "_try", counting)
    with recalling():
        found = [paths(slice(0, 2)), paths(slice(0, 3)), coalitions(4), coalitions(6)]
    assert asked == [2, 1, 2 * 4, 2 * 2]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    paths(slice(0, 2))
    assert asked[4:] == [2]
