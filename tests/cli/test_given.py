"""Which instances are explained: one by its number, and files as gcloud named them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stand_in import V2, Reply, standing_in

ROWS = [[1.0, 2.0, 3.0], [4.0, -1.0, 2.0], [0.5, 0.5, 9.0]]
# Of the stand-in's linear model, for the highest output of each row.
VALUES = [[1.0, 6.0, 0.0], [4.0, -3.0, 0.0], [-1.0, 0.25, 9.0]]


@pytest.fixture
def explained(program: Any, tmp_path: Path) -> Any:
    """``explained(…)`` is the run, and what it attributed to each instance."""
    signature = tmp_path / "signature.json"
    signature.write_text(json.dumps(V2))
    with standing_in() as predictor:
        url = f"{predictor.url}/v1/models/linear"

        def run(*words: object, command: str = "explain") -> tuple[Any, list[Any]]:
            done = program(command, signature, *words, "--predictor", url, "-q")
            if done.code or command != "explain":
                return done, []
            found = json.loads(done.out)["explanations"]
            return done, [it["attributions_by_label"][0]["attributions"]["x"] for it in found]

        yield run


def files(folder: Path) -> dict[str, Path]:
    made = {name: folder / name for name in ("body", "lines", "table.csv")}
    made["body"].write_text(json.dumps({"instances": ROWS}))
    made["lines"].write_text("\n".join(map(json.dumps, ROWS)))
    made["table.csv"].write_text(
        "\n".join(["x[0],x[1],x[2]", *(",".join(map(str, r)) for r in ROWS)])
    )
    return made


def test_files_are_what_the_options_of_gcloud_say(explained: Any, tmp_path: Path) -> None:
    made = files(tmp_path)
    assert explained("--json-request", made["body"])[1] == VALUES
    assert explained("--json-instances", made["lines"])[1] == VALUES
    both = ["--json-request", made["body"], "--json-instances", made["lines"]]
    assert explained(*both)[1] == VALUES * 2


@pytest.mark.parametrize("number", range(3))
def test_one_instance_is_picked_by_its_number(explained: Any, tmp_path: Path, number: int) -> None:
    made = files(tmp_path)
    one = ["--instance", number]
    assert explained("--json-request", made["body"], *one)[1] == [VALUES[number]]
    assert explained("--json-instances", made["lines"], *one)[1] == [VALUES[number]]
    # All inputs are counted through.
    later = ["--json-instances", made["lines"], "--instance", number + 3]
    assert explained("--json-request", made["body"], *later)[1] == [VALUES[number]]


def test_one_instance_of_a_folder_is_picked(explained: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, row in zip("cab", ROWS, strict=True):
        (folder / f"{name}.json").write_text(json.dumps({"instances": [row]}))
    assert explained(folder, "--instance", 0)[1] == [VALUES[1]]  # a.json, as they are sorted
    done, _ = explained(folder, "--instance", 2, "-o", tmp_path / "c.png", command="visualize")
    assert done.code == 0, done.err
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_what_is_not_there_is_said(explained: Any, program: Any, tmp_path: Path) -> None:
    made = files(tmp_path)
    done, _ = explained("--json-request", made["body"], "--instance", 3)
    assert done.code == 1
    assert "there is no instance 3: the input has 3 instances, from 0 on" in done.err
    done, _ = explained("--json-request", tmp_path / "none")
    assert done.code == 1
    assert "none: no such file" in done.err
    done, _ = explained()
    assert done.code == 2
    assert "no input" in done.err
    saved = tmp_path / "saved.npz"
    assert explained("--json-request", made["body"], "--raw", saved)[0].code == 0
    drawn = program("visualize", saved, "--instance", 0, "-o", tmp_path / "a.png")
    assert drawn.code == 2
    assert "--instance, --json-request and --json-instances are for explaining" in drawn.err


def test_an_instance_alone_draws_the_samples_that_it_draws_among_others(
    program: Any, tmp_path: Path
) -> None:
    """Its number names them, not its place in the call."""
    signature = tmp_path / "signature.json"
    picture = {"name": "image", "datatype": "FP32", "shape": [-1, 12, 12, 3]}
    output = {"name": "y", "datatype": "FP64", "shape": [-1, 2]}
    signature.write_text(json.dumps({"inputs": [picture], "outputs": [output]}))
    pixels = np.random.RandomState(0).randint(0, 255, (2, 12, 12, 3)).astype("uint8")
    for number, it in enumerate(pixels):
        Image.fromarray(it).save(tmp_path / f"{number}.png")
    with standing_in() as predictor:
        predictor.answer = lambda asked: Reply(
            {"predictions": [[float(np.sum(row)), float(row[0, 0, 0])] for row in asked.rows]}
        )
        words = ["explain", signature, tmp_path / "0.png", tmp_path / "1.png", "-q"]
        words += ["--predictor", f"{predictor.url}/v1/models/any", "--num-samples", 30]
        words += ["--segmentation", "slic", "--raw"]
        assert program(*words, tmp_path / "all.npz").code == 0
        assert program(*words, tmp_path / "one.npz", "--instance", 1).code == 0
    from pellucid.api import unpack

    many, one = (unpack((tmp_path / it).read_bytes(), it) for it in ("all.npz", "one.npz"))
    np.testing.assert_array_equal(
        many[1].labels[0].features["image"], one[0].labels[0].features["image"]
    )
