"""An instance that an operation of the model refuses is that instance's error, and no other's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import refusing


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("refusing") / "model"
    refusing.build(directory)
    return directory


def written(path: Path, *records: bytes) -> Path:
    path.write_text(json.dumps(refusing.request(*records)))
    return path


@pytest.mark.parametrize("kind", refusing.refused())
def test_explain_answers_with_the_instance_and_what_tensorflow_said(
    kind: str, program: Any, model: Path, tmp_path: Path
) -> None:
    bad, said = refusing.refused()[kind]
    good = refusing.record(2)
    # Among others, and where all are bad: nothing has been computed with the model yet.
    for records, place in (((good, bad, good), 1), ((bad, bad), 0)):
        file = written(tmp_path / "request.json", *records)
        run = program("explain", model, file)
        error = json.loads(run.out)["error"]
        assert error.startswith(f"{file}: instances[{place}]: {refusing.begins(kind)}")
        assert said in error and run.err == f"error: {error}\n" and run.code == 1


def test_batch_gives_each_a_line_and_explains_the_others(
    program: Any, model: Path, tmp_path: Path
) -> None:
    good = refusing.record(2)
    records = [good]
    for bad, _ in refusing.refused().values():
        records += [bad, good]
    file, out = written(tmp_path / "request.json", *records), tmp_path / "out"
    run = program("batch", model, file, "-o", out)
    assert run.code == 1
    lines = [json.loads(line) for line in (out / "errors.jsonl").read_text().splitlines()]
    assert [line["input"] for line in lines] == [f"{file}: instances[{i}]" for i in (1, 3, 5, 7)]
    for line, (_, said) in zip(lines, refusing.refused().values(), strict=True):
        assert line["error"].startswith(line["input"]) and said in line["error"]
    (results,) = out.glob("explanation.results-*")
    found = [json.loads(line) for line in results.read_text().splitlines()]
    assert [line["prediction"] for line in found] == [4.0] * 5
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["explained"], summary["failed"]) == (5, 4)
    (means,) = summary["meanAttributions"].values()
    mean = means["price"]  # a number, as each instance has one
    assert mean == pytest.approx(4)


def test_a_long_record_is_not_quoted_as_a_whole(program: Any, model: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "request.json", b"\xff\n" * 9000)
    run = program("explain", model, file)
    assert run.code == 1
    assert len(run.err) < len(str(file)) + 600 and run.err.count("\n") == 1
    assert "Could not parse example" in run.err
