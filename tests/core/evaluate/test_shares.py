"""Sufficiency and comprehensiveness against brute force; what is inside a mask, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from judged import of_columns, of_picture
from small_network import SIZE, pictures

from pellucid.evaluate import Settings, Trial
from pellucid.evaluate.metrics.shares import IN_MASK, IN_SHARES, inside


def test_shares_are_those_of_brute_force() -> None:
    """Of 30 columns the best 1, 2, 3, 6 and 15 stay, or go, written out without a mask."""
    generator = np.random.default_rng(3)
    weights, values = generator.normal(size=30), generator.normal(size=30)
    found = IN_SHARES.judge(
        Trial(subject=of_columns(np.ones(30), weights), maps={"a": values}), Settings()
    )
    order = sorted(range(30), key=lambda i: -values[i])
    only, without = [], []
    for count in (1, 2, 3, 6, 15):
        row = np.zeros(30)
        row[order[:count]] = 1
        only.append(weights.sum() - weights @ row)
        without.append(weights.sum() - weights @ (1 - row))
    assert found.values["sufficiency"]["a"] == pytest.approx(np.mean(only))
    assert found.values["comprehensiveness"]["a"] == pytest.approx(np.mean(without))


def test_the_best_of_three_columns_is_a_share_of_one() -> None:
    subject = of_columns([1, 1, 1], [4, 2, 1])
    found = IN_SHARES.judge(Trial(subject=subject, maps={"a": np.array([3, 2, 1])}), Settings())
    assert found.values["sufficiency"]["a"] == pytest.approx((3 * 4 + 1) / 5)
    assert found.values["comprehensiveness"]["a"] == pytest.approx((4 * 4 + 6) / 5)


def test_a_picture_has_no_columns_and_a_table_no_mask() -> None:
    picture = Trial(subject=of_picture(pictures()[0], 0), maps={})
    table = Trial(subject=of_columns([1], [1]), maps={}, mask=np.ones((1, 1), bool))
    assert IN_SHARES.refuses(picture) and not IN_SHARES.refuses(table)
    assert IN_MASK.refuses(picture) == "it needs masks"
    assert IN_MASK.refuses(table) == "a mask is one of a picture"


def test_what_is_inside_by_hand() -> None:
    """The negative attribution does not count, and the maximum is where it is."""
    mask = np.array([[True, False], [True, False]])
    assert inside(np.array([[3.0, 1.0], [0.0, -5.0]]), mask) == (0.75, 1.0)
    assert inside(np.array([[1.0, 3.0], [0.0, 0.0]]), mask) == (0.25, 0.0)
    share, _ = inside(np.array([[-1.0, 0.0], [0.0, 0.0]]), mask)
    assert math.isnan(share)


def test_a_mask_judges_all_maps() -> None:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[: SIZE // 2] = True
    values = mask.astype(float).ravel()
    trial = Trial(
        subject=of_picture(pictures()[0], 0), maps={"in": values, "out": 1 - values}, mask=mask
    )
    found = IN_MASK.judge(trial, Settings()).values
    assert found == {"inside": {"in": 1, "out": 0}, "pointing": {"in": 1, "out": 0}}
