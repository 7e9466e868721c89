"""``batch --write``: one tidy table of all attributions, as pandas and duckdb read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

if TYPE_CHECKING:
    from conftest import Program

duckdb = pytest.importorskip("duckdb")


def test_pandas_and_duckdb_read_the_table_beside_the_results(
    program: Program, samples: Path, tmp_path: Path
) -> None:
    out, wines = tmp_path / "out", samples / "wine/examples.csv"
    keep = ("--keep-column", "ash", "--keep-column", "id")
    command = ("batch", samples / "wine/model", wines, "-o", out, "--limit", 3, "--steps", 5)
    run = program(*command, "--write", "parquet", *keep)
    assert run.code == 0, run.err
    (results,) = out.glob("explanation.results-*")
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    expected = {
        (line["id"], line["columns"]["ash"], name): value[0]
        for line in lines
        for name, value in line["explanation"]["attributions_by_label"][0]["attributions"].items()
    }
    assert len(expected) == 3 * 12
    table = pd.read_parquet(out / "table.parquet")
    found = table.set_index(["id", "ash", "feature"])["attribution"].to_dict()
    assert found == expected
    assert (table["kept_id"] == table["id"]).all()
    assert table["input"].tolist()[::12] == [
        f"{wines}:{line}: {it['id']}" for line, it in enumerate(lines, 2)
    ]
    found = duckdb.sql(
        f"select label, count(*) from '{out}/table.parquet' group by label order by label"
    )
    labels = [line["explanation"]["attributions_by_label"][0]["label_name"] for line in lines]
    assert found.fetchall() == [(it, 12 * labels.count(it)) for it in sorted({*labels})]
    again = program(*command, "--write", "csv", *keep)
    assert again.code == 2
    assert "(write is csv, and was parquet)" in again.err


def test_a_column_to_keep_that_is_not_there_is_refused(
    program: Program, samples: Path, tmp_path: Path
) -> None:
    run = program(
        "explain", samples / "wine/model", samples / "wine/examples.csv", "--keep-column", "hues"
    )
    assert run.code == 1
    assert "has no column 'hues', which was to be a column to keep; did you mean 'hue'?" in run.err
    patient = (samples / "diabetes/model", samples / "diabetes/instances.json")
    run = program("explain", *patient, "--keep-column", "sex")
    assert "is no object with a key 'sex', which was to be a column to keep" in run.err
    record = tmp_path / "wine.json"
    one = json.loads((samples / "wine/instances.json").read_text())["instances"][0]
    record.write_text(json.dumps([{**one, "grower": {"name": "Bianchi"}}]))
    run = program(
        "explain", samples / "wine/model", record, "--keep-column", "grower", "--steps", 5
    )
    assert json.loads(run.out)["explanations"][0]["columns"] == {"grower": {"name": "Bianchi"}}


def test_examples_have_no_table(program: Program, samples: Path, tmp_path: Path) -> None:
    model, wines, index = samples / "wine/model", samples / "wine/examples.csv", tmp_path / "i.npz"
    assert program("index", model, wines, "-o", index).code == 0
    run = program(
        "batch", model, wines, "-o", tmp_path / "out", "--method", "examples", "--index", index,
        "--write", "csv",
    )  # fmt: skip
    assert run.code == 2
    assert "nearest examples have no attributions, of which the table would be" in run.err
