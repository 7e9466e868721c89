"""Tables at the commands: ids in every answer and file, names over a vector, missing values."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from conftest import Program


@pytest.fixture
def wine(samples: Path) -> Path:
    return samples / "wine"


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_examples_of_a_sample_run_in_batch_with_their_ids(
    program: Program, wine: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = program(
        "batch", wine / "model", wine / "examples.csv", "-o", out, "--steps", 5, "--limit", 40
    )
    assert run.code == 0, run.err
    assert "examples.csv:1: column 'id' is kept as the id" in run.err
    with (wine / "examples.csv").open() as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    found = lines(next(out.glob("explanation.results-*")))
    assert [it["id"] for it in found] == ids[:40]
    assert "id" not in found[0]["instance"]  # type: ignore[operator]
    assert "cultivar_1/0" in (out / "index.html").read_text()


def test_the_id_is_in_answers_tables_errors_and_names_of_files(
    program: Program, wine: Path, tmp_path: Path
) -> None:
    head, *rows = (wine / "examples.csv").read_text().splitlines()
    table = tmp_path / "t.csv"
    head = head.replace("id,alcohol", "label,alcohol").replace(",proline", ",proline,target")
    table.write_text("\n".join([head, f"{rows[0]},1", f"{rows[1].replace('12.93', 'x')},2"]))
    options = ["--id-column", "label", "--ignore-column", "target", "--steps", 5]
    run = program("batch", wine / "model", table, "-o", tmp_path / "out", *options)
    assert run.code == 1
    (error,) = lines(tmp_path / "out" / "errors.jsonl")
    assert "t.csv:3: cultivar_3/1" in json.dumps(error)
    run = program("explain", wine / "model", table, *options)
    assert run.code == 1
    assert "t.csv:3: cultivar_3/1: alcohol: input 'alcohol' is" in run.err
    table.write_text("\n".join([head, f"{rows[0]},1"]))
    run = program("explain", wine / "model", table, *options)
    assert json.loads(run.out)["explanations"][0]["id"] == "cultivar_1/0"
    run = program("explain", wine / "model", table, *options, "--format", "table")
    assert run.out.decode().startswith(f"{table}: cultivar_1/0: cultivar cultivar_1")
    run = program("visualize", wine / "model", table, *options, "-o", tmp_path / "drawn")
    assert run.out.decode().split() == [str(tmp_path / "drawn" / "t-0-cultivar_1_0.chart.png")]


def test_two_ids_are_one_too_many(program: Program, wine: Path) -> None:
    run = program(
        "explain", wine / "model", wine / "examples.csv", "--id-column", "a", "--id-column", "b"
    )
    assert run.code == 2
    assert "an instance has one id: 'a' or 'b'?" in run.err


def test_titles_over_a_vector_are_in_tables_and_summaries(
    program: Program, samples: Path, tmp_path: Path
) -> None:
    model = samples / "diabetes" / "model"
    (instance,) = json.loads((samples / "diabetes" / "instances.json").read_text())["instances"][:1]
    assert isinstance(instance, list | dict)
    names = [f"n{i}" for i in range(10)]
    row = instance if isinstance(instance, list) else [instance[k] for k in instance]
    row = np.ravel(row).tolist()
    known = json.loads((model / "explanation_metadata.json").read_text())["inputs"]
    (feature,) = known.values()
    feature.pop("index_feature_mapping")
    feature.pop("encoding")
    (tmp_path / "m.json").write_text(
        json.dumps({"inputs": known, "outputs": {"y": {"output_tensor_name": "output_0"}},
                    "framework": "tensorflow"})
    )  # fmt: skip
    table = tmp_path / "t.csv"
    table.write_text(";".join(["", *names]) + "\n" + ";".join(map(str, ["0", *row])) + "\n")
    run = program(
        "explain", model, table, "--metadata", tmp_path / "m.json", "--format", "table", "--output",
        _output(model),
    )  # fmt: skip
    assert run.code == 0, run.err
    assert f"{table}: is separated by ';'" in run.err
    assert "is the index that pandas writes and kept as the id" in run.err
    assert "n8 " in run.out.decode()


def _output(model: Path) -> str:
    document = json.loads((model / "explanation_metadata.json").read_text())
    (output,) = document["outputs"].values()
    return str(output["output_tensor_name"])


def test_what_is_missing_is_refused_with_the_way_out(
    program: Program, wine: Path, tmp_path: Path
) -> None:
    head, *rows = (wine / "examples.csv").read_text().splitlines()
    first, *others = rows[0].split(",")
    others[0] = ""
    table = tmp_path / "t.csv"
    table.write_text("\n".join([head, ",".join([first, *others]), rows[1], rows[2]]) + "\n")
    run = program("explain", wine / "model", table, "--steps", 5)
    assert run.code == 1
    assert "t.csv:2: cultivar_1/0: column 'alcohol' is empty; say what stands for" in run.err
    assert "--missing baseline or, where no" in run.err
    run = program("explain", wine / "model", table, "--steps", 5, "--missing", "baseline")
    (first_label,) = json.loads(run.out)["explanations"][0]["attributions_by_label"]
    assert first_label["attributions"]["alcohol"] in (0, [0], [0.0])
    run = program("batch", wine / "model", table, "-o", tmp_path / "o", "--missing", "mean")
    assert "choose --missing baseline" in run.err
    run = program(
        "batch", wine / "model", table, "-o", tmp_path / "o", "--missing", "baseline", "--steps", 5
    )
    assert run.code == 0, run.err
    found = lines(next((tmp_path / "o").glob("explanation.results-*")))
    assert found[0]["instance"]["alcohol"] is None  # type: ignore[index]
