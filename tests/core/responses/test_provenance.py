"""The digest of a response, and two responses compared."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from drawn import of_a_picture

from pellucid.responses import compared, digest_of, encode, leaves, stamped, unpack
from pellucid.visualize import encode as encode_picture


@pytest.mark.parametrize(
    "document",
    [
        {"a": np.arange(6.0).reshape(2, 3), "b": np.float64(0.1), "c": None, "d": "é", "e": True},
        {"a": np.zeros((0, 3)), "b": [], "c": {}, "d": [[1, 2], [3]], "e": [1, None, 2.5]},
        {"a": np.array([1.0, np.nan]), "b": float("inf"), "c": np.int64(3), "d": [{"x": 1}]},
        {"a": np.array(["x", "y"], object), "b": np.array([[1, 2]], np.int32), "c": [True, False]},
    ],
)
def test_a_digest_is_the_same_before_and_after_json(document: Any) -> None:
    again = json.loads(encode(document))
    assert digest_of(document) == digest_of(again)
    for path, leaf in leaves(again):
        assert path and (leaf is None or isinstance(leaf, str | np.ndarray))


@pytest.mark.parametrize(
    "change", [{"a": 1.0 + 2**-52}, {"a": None}, {"b": "X"}, {"c": [[1.0], [2.0]]}, {"d": 0}]
)
def test_whatever_changes_has_another_digest(change: Any) -> None:
    document = {"a": 1.0, "b": "x", "c": [1.0, 2.0]}
    assert digest_of(document) != digest_of({**document, **change})


@pytest.mark.parametrize(
    "number", [0, -3, 2**53 + 1, 2**63 - 1, -(2**63) + 1, 0.1, -0.0, 1e300, float("nan"), True]
)
def test_a_number_has_one_digest_whatever_holds_it(number: Any) -> None:
    found = {digest_of({"a": held}) for held in (number, np.asarray(number)[()], np.array(number))}
    assert len(found) == 1
    assert found != {digest_of({"a": 7})}


def test_what_has_no_provenance_is_not_stamped() -> None:
    assert stamped({"explanations": []}, {}) == {"explanations": []}
    saved = of_a_picture(np.ones((8, 10)))
    assert "diagnostics" not in saved.response()
    assert unpack(saved.pack(), "a.npz").provenance == {}


def test_numbers_are_compared_by_the_largest_of_their_array() -> None:
    before = {"x": np.array([1000.0, 1.0]), "y": "a", "z": None, "p.b64_png": _png(10)}
    assert compared(before, dict(before)).identical
    near = compared(before, {**before, "x": np.array([1000.0, 1.0005])})
    assert near.same and not near.identical and near.largest == pytest.approx(5e-7)
    far = compared(before, {**before, "x": np.array([1000.0, 1.1])})
    assert not far.same and far.where == "x" and not far.others
    pixels = compared(before, {**before, "p.b64_png": _png(12)})
    assert pixels.largest == pytest.approx(2 / 12) and pixels.where == "p.b64_png"


def _png(level: int) -> str:
    return base64.b64encode(encode_picture(np.full((4, 4, 3), level, np.uint8), "png")).decode()


@pytest.mark.parametrize(
    "after",
    [
        {"x": np.zeros(3), "y": "a"},
        {"x": np.zeros(2), "y": "b"},
        {"x": np.zeros(2)},
        {"x": np.zeros(2), "y": "a", "z": "new"},
        {"x": None, "y": "a"},
        {"x": np.array([0.0, np.nan]), "y": "a"},
    ],
)
def test_what_is_not_there_at_all_is_named(after: Any) -> None:
    found = compared({"x": np.zeros(2), "y": "a"}, after)
    assert not found.same and len(found.others) == 1
