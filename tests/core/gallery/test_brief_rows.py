"""What a full page has of a row of many columns is what would be cut out of the whole line."""

from __future__ import annotations

import json

import numpy as np
import orjson
import pytest

from pellucid.gallery import Leading, brief
from pellucid.gallery.page import ROW, Entry, shortened, write_gallery


def row_of(seed: int, columns: int, classes: int = 10, **label: object) -> dict[str, object]:
    numbers = np.random.default_rng(seed)
    names = [f"column {number}" for number in range(columns)]
    counts = dict(zip(names, numbers.normal(size=columns).tolist(), strict=True))
    found = {"approx_error": 0.01, "attributions": counts, "label_index": 3, **label}
    return {
        "instance": dict(zip(names, numbers.normal(size=columns).tolist(), strict=True)),
        "prediction": numbers.random(classes),
        "explanation": {"attributions_by_label": [found]},
    }


def leading_of(row: dict[str, object]) -> Leading:
    (label,) = row["explanation"]["attributions_by_label"]  # type: ignore[index]
    found = label["attributions"]
    names = sorted(found, key=lambda name: -abs(found[name]))[:4]
    return Leading(len(found), {name: found[name] for name in names})


def read(row: dict[str, object]) -> dict[str, object]:
    """The row as a line of results has it."""
    return {**row, "prediction": np.asarray(row["prediction"]).tolist()}


@pytest.mark.parametrize("columns", [30, 100, 1000])
@pytest.mark.parametrize("classes", [1, 3, 10])
def test_a_brief_row_is_the_shortened_one(columns: int, classes: int) -> None:
    known = 0
    for seed in range(20):
        row = row_of(seed, columns, classes, label_name="yes", output_name="probabilities")
        size = len(json.dumps(read(row)))
        found = brief(row, leading_of(row), size)
        known += found is not None
        assert found is None or found == shortened(read(row), ROW, size)
    assert known >= 15


@pytest.mark.parametrize("columns", [4, 30, 1000])
def test_features_that_are_text_already_are_cut_as_they_would_be_alone(columns: int) -> None:
    row = row_of(columns, columns, label_name="yes")
    leading = leading_of(row)
    (label,) = row["explanation"]["attributions_by_label"]  # type: ignore[index]
    written = {**label, "attributions": orjson.Fragment(orjson.dumps(label["attributions"]))}
    text = {**row, "explanation": {"attributions_by_label": [written]}}
    found = brief(row, leading, 5000)
    assert brief(text, leading, 5000) == found
    assert (found is None) == (columns == 4)


@pytest.mark.parametrize(
    "row",
    [
        row_of(0, 4),
        row_of(0, 100, label_name="x" * 61),
        row_of(0, 100, label_name="Grün"),
        row_of(0, 100, diagnostics=[1.0]),
        {**row_of(0, 100), "instance": [1.0] * 100},
        {**row_of(0, 100), "id": ["a"]},
        {**row_of(0, 100), "prediction": np.zeros((2, 2))},
    ],
)
def test_what_takes_looking_is_left_to_the_page(row: dict[str, object]) -> None:
    assert brief(row, leading_of(row), 5000) is None


def test_a_page_has_whole_rows_while_there_is_room_and_brief_ones_then(tmp_path: object) -> None:
    row = row_of(0, 1000, label_name="yes")
    line = json.dumps(read(row)).encode()
    found = brief(row, leading_of(row), len(line))
    assert found is not None
    several = [
        Entry(name=str(i), row=line, size=len(line), brief=found.decode()) for i in range(2000)
    ]
    page = write_gallery(tmp_path, several, title="x").read_bytes()  # type: ignore[arg-type]
    same = [Entry(name=str(i), row=read(row), size=len(line)) for i in range(2000)]
    assert page == write_gallery(tmp_path, same, title="x").read_bytes()  # type: ignore[arg-type]
    assert page.count(found) > 1000
