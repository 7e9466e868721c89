"""``pellucid batch``: a folder in, a folder out, and what a bad input costs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


RESULTS = "explanation.results-00000-of-00001"


def test_a_folder_of_photos(program: Any, samples: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    for place, name in (("a.jpg", "cat"), ("deep/b.jpg", "coffee"), ("z.jpg", "rocket")):
        shutil.copy(samples / f"photos/images/{name}.jpg", source / place)
    (source / "notes.txt").write_text("not an input")
    (source / ".hidden.jpg").write_text("not an input either")
    out = tmp_path / "out"
    run = program("batch", samples / "photos/model", source, "-o", out, "--steps", 10)
    assert run.code == 0 and run.out == b""
    assert run.err.endswith(f"{out}: 3 explained, 0 failed\n")
    found = lines(out / RESULTS)
    assert [Path(line["instance"]).relative_to(source).as_posix() for line in found] == [
        "a.jpg", "deep/b.jpg", "z.jpg"
    ]  # fmt: skip
    names = [line["explanation"]["attributions_by_label"][0]["label_name"] for line in found]
    assert names == ["cat", "coffee", "rocket"]
    assert [int(np.argmax(line["prediction"])) for line in found] == [2, 3, 6]
    for place in ("a.jpg", "deep/b.jpg", "z.jpg"):
        with (
            Image.open(out / "overlays" / f"{place}.png") as overlay,
            Image.open(source / place) as photo,
        ):
            assert overlay.size == photo.size
    assert (out / "errors.jsonl").read_text() == ""
    summary = json.loads((out / "summary.json").read_text())
    assert summary["explained"] == 3 and summary["failed"] == 0
    assert set(summary["approxError"]) == {"median", "p95", "max"}


def test_one_bad_input_costs_one_line_and_nothing_else(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    images = sorted((samples / "digits/images").iterdir())
    for image in images:
        shutil.copy(image, source)
    (source / "a_empty.png").write_bytes(b"")
    (source / "b_broken.png").write_bytes(images[0].read_bytes()[:100])
    (source / "c_text.jpg").write_text("no picture")
    (source / "d_folder.jpg").mkdir()
    (source / "e_link.png").symlink_to(source / "gone.png")
    out = tmp_path / "out"
    run = program("batch", samples / "digits/model", source, "-o", out, "--no-overlays", "-q")
    assert run.code == 1 and run.err == ""
    errors = lines(out / "errors.jsonl")
    assert [Path(line["input"]).name[0] for line in errors] == ["a", "b", "c", "d", "e"]
    assert all(line["error"].startswith(line["input"]) for line in errors)
    assert [Path(line["instance"]).name for line in lines(out / RESULTS)] == [
        i.name for i in images
    ]
    assert not (out / "overlays").exists()
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["explained"], summary["failed"]) == (len(images), 5)


def test_a_bad_line_in_a_file_of_many(program: Any, samples: Path, tmp_path: Path) -> None:
    rows = json.loads((samples / "diabetes/instances.json").read_text())["instances"]
    table = tmp_path / "rows.jsonl"
    bad = [rows[0], "nothing", rows[1], [1, 2], rows[2]]
    table.write_text("\n".join(json.dumps(row) for row in bad) + "\n")
    out = tmp_path / "out"
    run = program("batch", samples / "diabetes/model", table, "-o", out)
    assert run.code == 1
    assert len(lines(out / RESULTS)) == 3 and len(lines(out / "errors.jsonl")) == 2
    # What came through is what explain says of the good rows alone.
    good = tmp_path / "good.json"
    good.write_text(json.dumps({"instances": rows[:3]}))
    alone = json.loads(program("explain", samples / "diabetes/model", good).out)["explanations"]
    got = [line["explanation"] for line in lines(out / RESULTS)]
    for one, other in zip(got, alone, strict=True):
        a, b = (e["attributions_by_label"][0]["attributions"] for e in (one, other))
        for name in b:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-4, atol=1e-4)
    summary = json.loads((out / "summary.json").read_text())
    means = {name: value[0] for name, value in summary["meanAttributions"].items()}
    for name, mean in means.items():
        each = [e["attributions_by_label"][0]["attributions"][name][0] for e in got]
        assert mean == pytest.approx(np.mean(each), abs=1e-9)


def test_a_table_is_explained_row_by_row(program: Any, samples: Path, tmp_path: Path) -> None:
    instances = json.loads((samples / "wine/instances.json").read_text())["instances"]
    names = list(instances[0])
    table = tmp_path / "wine.csv"
    table.write_text(
        "\n".join([",".join(names), *(",".join(str(i[n]) for n in names) for i in instances)])
    )
    out = tmp_path / "out"
    run = program("batch", samples / "wine/model", table, "-o", out, "--limit", 2)
    assert run.code == 0, run.err
    assert len(lines(out / RESULTS)) == 2


def test_a_folder_that_is_not_empty_is_not_written_into(
    program: Any, samples: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    run = program("batch", samples / "wine/model", samples / "wine/instances.json", "-o", tmp_path)
    assert run.code == 2
    assert run.err == f"error: {tmp_path}: is not empty; add --force to write into it\n"
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_folder_without_inputs_is_said_to_be(program: Any, samples: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    run = program("batch", samples / "wine/model", empty, "-o", tmp_path / "out")
    assert run.code == 1
    assert run.err == (
        f"error: {empty}: holds no input; inputs are pictures, .json, .jsonl and .csv files\n"
    )
