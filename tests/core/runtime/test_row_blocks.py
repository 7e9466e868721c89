"""Rows that are asked together, where a model takes so many and no others."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.errors import InstanceError
from pellucid.runtime.row_blocks import together
from pellucid.saved_model import Batch

ROWS = {"x": np.array([[1.0], [2.0]])}


@pytest.mark.parametrize(("fixed", "asked"), [(None, [1, 2]), (2, [1, 2]), (4, [1, 2, 2, 2])])
def test_a_batch_of_a_fixed_size_is_filled_up(fixed: int | None, asked: list[float]) -> None:
    assert together(ROWS, Batch(rows=fixed, axis=True))["x"].ravel().tolist() == asked


@pytest.mark.parametrize("batch", [Batch(rows=1, axis=True), Batch(rows=None, axis=False)])
def test_more_rows_than_the_model_takes_are_refused(batch: Batch) -> None:
    with pytest.raises(InstanceError, match=r"takes 1 row at a time.*choose a baseline=…"):
        together(ROWS, batch)
