"""``--run``: what explaining one baseline instance tells, and what it is made of."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo_functions
import zoo_keras
import zoo_loops
import zoo_shapes
import zoo_text
import zoo_tf1
from zoo import Sample, export, float_rows

import pellucid
from pellucid.api.smoke_test import baseline_instance, smoke_test
from pellucid.linter.lint_model import lint
from pellucid.runtime.engine.tensorflow import tf
from places import SAMPLES

assert all((zoo_functions, zoo_keras, zoo_loops, zoo_shapes, zoo_text, zoo_tf1))
Built = Callable[[str], tuple[Path, Sample]]
SUCCESS = "a baseline instance was explained"


def messages(directory: Path) -> list[str]:
    found = smoke_test(lint(directory))
    return [f"{it.code}: {it.text()}" for it in found.problems if it.code == "MD140"]


@pytest.mark.parametrize(
    "name", ["digits", "diabetes", "jpeg_bytes", "code_or_prose", "tf1_embedding"]
)
def test_a_sample_model_explains_its_own_baseline(name: str) -> None:
    found = smoke_test(lint(SAMPLES / name / "model"))
    assert (found.problems, found.notes[-1]) == ((), SUCCESS)


@pytest.mark.parametrize(
    "name",
    [
        "fixed_batch_of_four",
        "no_batch_axis",
        "free_height_and_width",
        "keep_probability",
        "static_table",
        "keras_lstm",
        "sign_of_input",
        "loop_in_frames",
    ],
)
def test_a_model_of_any_style_is_tried(name: str, built: Built) -> None:
    directory, _ = built(name)
    found = smoke_test(lint(directory))
    assert [it.code for it in found.problems if it.code == "MD140"] == []
    assert found.notes[-1] == SUCCESS


def test_what_the_instance_is_made_of() -> None:
    digits = pellucid.load(SAMPLES / "digits" / "model", warn=lambda sentence: None)
    instance = baseline_instance(digits)
    assert {k: (v.shape, v.dtype) for k, v in instance.items()} == {
        "image": ((28, 28), np.dtype("float32"))
    }
    photo = pellucid.load(SAMPLES / "jpeg_bytes" / "model", warn=lambda sentence: None)
    (value,) = baseline_instance(photo).values()
    assert value.shape == () and value.item().startswith(b"\xff\xd8")  # a JPEG


def test_weights_that_are_damaged_inside(tmp_path: Path) -> None:
    directory = Path(shutil.copytree(SAMPLES / "digits" / "model", tmp_path / "model"))
    data = directory / "variables" / "variables.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 255
    data.write_bytes(content)
    assert lint(directory).problems == ()
    (message,) = messages(directory)
    assert message.startswith("MD140: the model cannot be loaded: the data of variable '")
    assert message.endswith("the file is truncated or damaged; copy the model again")


def test_an_output_without_the_batch_axis(tmp_path: Path) -> None:
    export(tmp_path, lambda x: tf.reduce_mean(x) * tf.ones([3]), x=float_rows(4))
    assert messages(tmp_path) == [
        "MD140: a baseline instance ('x' float32 [4]) cannot be explained: the output "
        "'PartitionedCall:0' has shape [3] for 1 instances: its first axis is not the batch"
    ]


def test_an_instance_that_the_model_does_not_take(tmp_path: Path) -> None:
    def serve(x: Any) -> Any:
        with tf.control_dependencies([tf.debugging.assert_positive(x, "not positive")]):
            return tf.sin(x)

    export(tmp_path, serve, x=float_rows(4))
    (message,) = messages(tmp_path)
    assert message.startswith(
        "MD140: a baseline instance ('x' float32 [4]) cannot be explained: the model cannot take "
    )
    assert "not positive" in message


def test_where_nothing_says_what_to_explain_nothing_is_run(built: Built) -> None:
    directory, _ = built("several_outputs")
    found = lint(directory)
    assert [it.code for it in found.problems] == ["MD112"]
    assert smoke_test(found) is found


def test_what_is_wrong_already_is_not_run(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "digits" / "model", tmp_path / "model")
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"")
    found = lint(tmp_path / "model")
    assert smoke_test(found) is found
    alone = tmp_path / "alone.json"
    alone.write_text((SAMPLES / "digits" / "model" / "explanation_metadata.json").read_text())
    found = lint(alone)
    assert smoke_test(found) is found
