"""Series through the commands: recognised, read, explained, drawn, and what is said of each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from series_models import CHANNEL, TIME, bump_model, bump_rows, long_model, lstm_model

NAMES = ("heart", "breath", "motion")


@pytest.fixture(scope="module")
def bump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bump_model(tmp_path_factory.mktemp("bump"))


@pytest.fixture
def run_csv(tmp_path: Path) -> Path:
    x, seen = bump_rows(20, seed=3)
    rows = x[int(np.flatnonzero(seen)[0])]
    path = tmp_path / "run.csv"
    lines = [f"{i / 2},{a:.5f},{b:.5f},{c:.5f}" for i, (a, b, c) in enumerate(rows)]
    path.write_text("\n".join([f"time,{','.join(NAMES)}", *lines]), "utf-8")
    return path


def test_a_file_of_steps_is_one_instance_and_one_picture(
    program: Any, bump: Path, run_csv: Path, tmp_path: Path
) -> None:
    run = program("visualize", bump, run_csv, "-o", tmp_path / "a.png", "--steps", 10)
    assert run.code == 0, run.err
    assert "input 'signal' is taken for a series: 60 steps of 3 channels" in run.err
    assert "run.csv:1: column 'time' is taken for the time" in run.err
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] == 972


def test_the_time_column_can_be_named(program: Any, bump: Path, run_csv: Path) -> None:
    run = program("explain", bump, run_csv, "--time-column", "time", "--steps", 10)
    assert run.code == 0, run.err
    assert "taken for the time" not in run.err
    values = json.loads(run.out)["explanations"][0]["attributions_by_label"][0]["attributions"]
    assert np.shape(values["signal"]) == (60, 3)
    run = program("explain", bump, run_csv, "--time-column", "a", "--time-column", "b")
    assert run.code == 2
    assert "a series has one time: 'a' or 'b'?" in run.err


def test_a_table_has_the_totals_of_channels(program: Any, bump: Path, run_csv: Path) -> None:
    run = program("explain", bump, run_csv, "--format", "table", "-q")
    rows = [line.split() for line in run.out.decode().splitlines()[2:] if line]
    assert rows[0][0] == NAMES[CHANNEL]
    step = int(rows[0][rows[0].index("step") + 1].rstrip(":"))
    assert abs(step - TIME) <= 3
    answer = json.loads(program("explain", bump, run_csv, "-q").out)
    label = answer["explanations"][0]["attributions_by_label"][0]
    totals = np.sum(label["attributions"]["signal"], axis=0)
    assert {row[0]: float(row[1]) for row in rows} == pytest.approx(
        dict(zip(NAMES, totals, strict=True)), rel=1e-3
    )


def test_names_of_channels_are_given(program: Any, bump: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", bump_rows(1)[0][0])
    given = ("explain", bump, tmp_path / "x.npy", "--format", "table", "-q", "--feature-names")
    assert "motion" in program(*given, ",".join(NAMES)).out.decode()
    (tmp_path / "names.txt").write_text("heart\nbreath\nmotion\n")
    assert "motion" in program(*given, tmp_path / "names.txt").out.decode()
    run = program(*given, "heart,breath")
    assert run.code == 2
    sentence = "the names given: has 2 names, and the last axis of the input 'signal' has 3"
    assert run.err == f"error: {sentence}\n"
    assert "'heart' is named twice" in program(*given, "heart,heart,breath").err
    assert "names.tx: no such file; feature names are a file" in program(*given, "names.tx").err


def test_other_forms_are_instances_too(program: Any, tmp_path: Path) -> None:
    model = lstm_model(tmp_path / "m")
    x = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "x.json").write_text(json.dumps({"instances": [x.tolist()]}))
    (tmp_path / "x.csv").write_text("\n".join(",".join(map(str, row)) for row in x.tolist()))
    answers = [
        json.loads(program("explain", model, tmp_path / name, "-q").out)
        for name in ("x.npy", "x.json", "x.csv")
    ]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("steps", [10, 200, 16_000])
def test_a_wave_is_drawn_at_any_length(program: Any, tmp_path: Path, steps: int) -> None:
    model = long_model(tmp_path / "m", None)
    np.save(tmp_path / "x.npy", np.sin(np.arange(steps) / 50).astype(np.float32))
    run = program(
        "visualize", model, tmp_path / "x.npy", "-o", tmp_path / "a.png", "--steps", 5,
    )  # fmt: skip
    assert run.code == 0, run.err
    assert "any number of steps" in run.err
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (972, picture.size[1])


def test_saved_explanations_are_drawn_again_with_their_times(
    program: Any, bump: Path, run_csv: Path, tmp_path: Path
) -> None:
    raw = ("--raw", tmp_path / "a.npz", "--steps", 10, "-q")
    assert program("explain", bump, run_csv, *raw).code == 0
    draw = ("visualize", bump, run_csv, "-o", tmp_path / "a.png", "--steps", 10, "-q")
    assert program(*draw).code == 0
    assert program("visualize", tmp_path / "a.npz", "-o", tmp_path / "b.png").code == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_methods_and_labels_stand_below_each_other(
    program: Any, run_csv: Path, bump: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.png"
    run = program("visualize", bump, run_csv, "--compare", "ig,shapley", "-o", out)
    assert run.code == 0, run.err
    assert "'signal' is explained in 20 windows of 3 steps" in run.err
    with Image.open(out) as picture:
        assert picture.size[1] > 900


def test_a_preview_has_channels_and_time(program: Any, bump: Path, run_csv: Path) -> None:
    run = program("visualize", bump, run_csv, "--show", "-q")
    lines = run.out.decode().splitlines()
    assert lines[3].split()[0] == "motion"
    strip = lines[6]
    assert abs(strip.index("█") / len(strip) * 60 - TIME) < 6
    assert lines[7] == "over time: time"


def test_what_does_not_explain_a_series_says_so(program: Any, bump: Path, run_csv: Path) -> None:
    for method in ("xrai", "lime"):
        run = program("explain", bump, run_csv, "--method", method, "-q")
        assert run.code == 2
        assert "--method sampled-shapley" in run.err


def test_a_folder_of_runs_has_a_picture_of_each(
    program: Any, bump: Path, run_csv: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "runs", tmp_path / "out"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.csv").write_text(run_csv.read_text())
    run = program("batch", bump, folder, "-o", out, "--steps", 10)
    assert run.code == 0, run.err
    assert "2 explained, 0 failed" in run.err + run.out.decode()
    (results,) = out.glob("explanation.results*")
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert [row["overlays"]["signal"] for row in rows] == [
        "overlays/a.csv.0.png",
        "overlays/b.csv.0.png",
    ]
    draw = ("visualize", bump, run_csv, "-o", tmp_path / "a.png", "--steps", 10, "-q")
    assert program(*draw).code == 0
    assert (out / "overlays/a.csv.0.png").read_bytes() == (tmp_path / "a.png").read_bytes()
    for path in ("originals/a.csv.0.jpg", "thumbnails/b.csv.0.jpg", "index.html"):
        assert (out / path).is_file()


def test_the_modality_is_written_and_turned_off(
    program: Any, bump: Path, run_csv: Path, tmp_path: Path
) -> None:
    run = program("init-metadata", bump, "-o", tmp_path / "m.json")
    assert "input 'signal' [?, 60, 3] is series" in run.err
    document = json.loads((tmp_path / "m.json").read_text())
    assert document["inputs"]["signal"]["modality"] == "series"
    options = ("visualize", bump, run_csv, "--metadata", tmp_path / "m.json", "--steps", 5)
    run = program(*options, "-o", tmp_path / "series", "-q")
    assert run.out.decode().endswith("run-0.series.png\n")
    document["inputs"]["signal"]["modality"] = "numeric"
    (tmp_path / "m.json").write_text(json.dumps(document))
    run = program(*options, "-o", tmp_path / "bars", "-q")
    assert run.out.decode().endswith("run-0.chart.png\n")


def test_the_metadata_of_a_series_are_clean(program: Any, bump: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(bump, tmp_path / "model"))
    for dialect in ("ai-platform", "vertex"):
        assert program("init-metadata", model, "--dialect", dialect, "--force").code == 0
        run = program("validate-metadata", model, "--strict")
        assert run.code == 0, run.out
