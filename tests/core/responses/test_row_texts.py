"""Attributions of a block as text are what each row alone is written as."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.model import Rows, TensorsOfRow
from pellucid.responses import encode
from pellucid.responses.row_texts import row_texts

NAMES = ["a", "100 %", "%b", 'quoted "', "ä", "a,b],[c"]


@pytest.mark.parametrize("shape", [(), (1,)])
def test_rows_as_text_are_what_each_is_written_as(shape: tuple[int, ...]) -> None:
    chance = np.random.default_rng(0)
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324, 1e16, 1e-5, 1.0, 123456789012345680.0])
    bits = chance.integers(0, 2**64, 400, np.uint64, endpoint=False).view(np.float64)
    numbers = np.concatenate([odd, bits])
    rows = Rows({name: chance.permutation(numbers).reshape(-1, *shape) for name in NAMES})
    texts = row_texts(rows)
    assert texts is not None
    for row, text in enumerate(texts):
        assert text + b"\n" == encode(TensorsOfRow(rows, row).listed(), indent=False)


@pytest.mark.parametrize(
    "rows",
    [
        Rows({}),
        Rows({"a": np.zeros((0, 1))}),
        Rows({"a": np.zeros((3, 2))}),
        Rows({"a": np.zeros((3, 1)), "b": np.zeros((3,))}),
        Rows({"a": np.zeros((3, 1), np.float32)}),
    ],
)
def test_what_is_not_single_numbers_is_written_row_by_row(rows: Rows) -> None:
    assert row_texts(rows) is None
