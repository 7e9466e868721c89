"""Files of text: `explain`, `visualize` and `batch` take them for a model of texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pellucid.runtime.engine.tensorflow import tf
from text_models import TEXTS, module


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("texts") / "model"
    module(directory)
    return directory


def test_a_text_is_explained_and_drawn(program: Any, model: Path, tmp_path: Path) -> None:
    file = tmp_path / "review.txt"
    file.write_text(TEXTS[0] + "\n", "utf-8")
    run = program("explain", model, file)
    assert run.code == 0
    assert "'text' is explained at its embedding" in run.err
    (answer,) = json.loads(run.out)["explanations"]
    words = answer["diagnostics"][0]["words"]["text"]
    assert [TEXTS[0][it["start"] : it["end"]] for it in words] == [it["word"] for it in words]
    assert len(answer["attributions_by_label"][0]["attributions"]["text"]) == len(words) == 7
    drawn = program("visualize", model, file, "-o", tmp_path / "out")
    assert drawn.code == 0
    assert {it.suffix for it in (tmp_path / "out").iterdir()} == {".png", ".html"}


def test_a_text_may_be_empty(program: Any, model: Path, tmp_path: Path) -> None:
    """It has nothing to explain, and keeps no other file from its answer."""
    files = [tmp_path / "empty.txt", tmp_path / "full.txt"]
    files[0].write_text("\n")
    files[1].write_text(TEXTS[0])
    run = program("explain", model, *files)
    assert run.code == 0, run.err
    empty, full = json.loads(run.out)["explanations"]
    assert "nothing to attribute" in run.err
    assert not any(empty["attributions_by_label"][0]["attributions"]["text"])
    assert any(full["attributions_by_label"][0]["attributions"]["text"])


@pytest.mark.parametrize("text", ["[note] good film", "{curly} film", "\ufeffgood film"])
def test_what_begins_as_json_may_be_a_text(
    text: str, program: Any, model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "odd.txt"
    file.write_text(text, "utf-8")
    run = program("explain", model, file)
    assert run.code == 0, run.err


def test_batch_takes_a_folder_of_texts_and_draws_them(
    program: Any, model: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "texts", tmp_path / "out"
    folder.mkdir()
    for number, text in enumerate(TEXTS):
        (folder / f"{number}.txt").write_text(text, "utf-8")
    run = program("batch", model, folder, "-o", out)
    assert run.code == 0, run.err
    pictures = sorted((out / "overlays").iterdir())
    assert [it.name for it in pictures] == ["0.txt.0.text.png", "1.txt.0.text.png"]
    for it in pictures:
        with Image.open(it) as picture:
            assert picture.width == 760
    lines = (out / "explanation.results-00000-of-00001").read_text("utf-8").splitlines()
    first = json.loads(lines[0])
    assert first["overlays"] == {"text": "overlays/0.txt.0.text.png"}
    assert first["instance"] == TEXTS[0]


def test_a_model_of_something_else_says_what_it_takes(program: Any, tmp_path: Path) -> None:
    function = tf.function(lambda x: {"y": tf.reduce_sum(x, 1)})
    one = function.get_concrete_function(tf.TensorSpec([None, 2], tf.float32, "x"))
    tf.saved_model.save(tf.Module(), str(tmp_path / "model"), one)
    file = tmp_path / "a.txt"
    file.write_text("hello", "utf-8")
    run = program("explain", tmp_path / "model", file)
    assert run.code == 1
    assert "is a text, which is no instance of a model of 'x' (float32 [2]); give JSON" in run.err


def test_evaluate_finds_the_texts_of_a_folder_as_batch_does(
    program: Any, model: Path, tmp_path: Path
) -> None:
    for number, text in enumerate(TEXTS):
        (tmp_path / f"{number}.txt").write_text(text, "utf-8")
    asked = ("--methods", "shapley:paths=2", "--stages", 3, "--format", "json")
    run = program("evaluate", model, tmp_path, *asked)
    assert run.code == 0, run.err
    found = json.loads(run.out)["instances"]
    files = [Path(it["name"].partition(":")[0]).name for it in found]
    assert files == [f"{i}.txt" for i in range(len(TEXTS))]
