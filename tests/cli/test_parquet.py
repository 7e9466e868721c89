"""Parquet in and out: the same answers as from CSV, and a tidy table of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from conftest import Program

pyarrow = pytest.importorskip("pyarrow")
from pyarrow import csv, parquet  # noqa: E402

STEPS = ("--steps", 5)


@pytest.fixture
def wine(samples: Path) -> Path:
    return samples / "wine"


@pytest.fixture
def table(wine: Path, tmp_path: Path) -> Path:
    path = tmp_path / "wines.parquet"
    parquet.write_table(csv.read_csv(wine / "examples.csv").slice(0, 7), path)
    return path


def explanations(run: Any) -> Any:
    assert run.code == 0, run.err
    return json.loads(run.out)["explanations"]


def test_a_parquet_file_is_explained_as_the_same_csv_is(
    program: Program, wine: Path, table: Path, tmp_path: Path
) -> None:
    rows = (wine / "examples.csv").read_text().splitlines()[:8]
    (tmp_path / "wines.csv").write_text("\n".join(rows))
    given = explanations(program("explain", wine / "model", tmp_path / "wines.csv", *STEPS))
    run = program("explain", wine / "model", table, *STEPS)
    assert explanations(run) == given
    assert f"{table}: column 'id' is kept as the id" in run.err
    run = program("batch", wine / "model", table, "-o", tmp_path / "out", *STEPS)
    assert run.code == 0, run.err
    (results,) = (tmp_path / "out").glob("explanation.results-*")
    found = [json.loads(line) for line in results.read_text().splitlines()]
    assert [it["explanation"]["attributions_by_label"] for it in found] == [
        it["attributions_by_label"] for it in given
    ]


def test_the_table_that_is_written_has_a_row_for_each_feature(
    program: Program, wine: Path, table: Path, tmp_path: Path
) -> None:
    given = explanations(program("explain", wine / "model", table, *STEPS))
    out = tmp_path / "out.parquet"
    assert program("explain", wine / "model", table, *STEPS, "-o", out).code == 0
    written = parquet.read_table(out)
    made = json.loads(written.schema.metadata[b"pellucid"])
    assert made["parameters"]["integratedGradientsAttribution"]["stepCount"] == 5
    rows = written.to_pylist()
    assert len(rows) == 7 * 12  # two columns are one group
    for row in rows:
        label = given[row["instance"]]["attributions_by_label"][0]
        assert row["id"] == given[row["instance"]]["id"]
        assert row["attribution"] == np.ravel(label["attributions"][row["feature"]])[0]
        assert (row["score"], row["label"]) == (label["example_score"], label["label_name"])
    assert (rows[0]["feature"], rows[0]["value"]) == ("alcohol", str(float(np.float32(13.86))))


def test_elements_of_bags_and_vectors_are_named_with_their_values(
    program: Program, samples: Path, tmp_path: Path
) -> None:
    folder = samples / "diabetes"
    out = tmp_path / "out.parquet"
    run = program("explain", folder / "model", folder / "instances.json", "-o", out, *STEPS)
    assert run.code == 0, run.err
    rows = parquet.read_table(out).to_pylist()[:10]
    assert [row["feature"] for row in rows[:3]] == ["age", "sex", "bmi"]
    (first, *_) = json.loads((folder / "instances.json").read_text())["instances"]
    values = np.ravel(first if isinstance(first, list) else list(first.values()))
    assert [float(row["value"]) for row in rows] == values.astype(np.float32).tolist()


def test_what_is_missing_is_missing_there_too(program: Program, wine: Path, table: Path) -> None:
    read = parquet.read_table(table)
    alcohol = pyarrow.array([None, *read["alcohol"].to_pylist()[1:]])
    at = read.schema.get_field_index("alcohol")
    parquet.write_table(read.set_column(at, "alcohol", alcohol), table)
    run = program("explain", wine / "model", table, *STEPS)
    assert run.code == 1
    assert f"{table}: cultivar_1/0: column 'alcohol' is empty; say what stands" in run.err
    run = program("explain", wine / "model", table, *STEPS, "--missing", "mean")
    assert len(explanations(run)) == 7


def test_a_damaged_file_costs_one_sentence(program: Program, wine: Path, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    run = program("explain", wine / "model", tmp_path / "a.parquet")
    assert run.code == 1
    assert "a.parquet: cannot be read as Parquet (" in run.err
    run = program("explain", wine / "model", tmp_path / "b.parquet")
    assert "b.parquet: no such file" in run.err
