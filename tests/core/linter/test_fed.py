"""Metadata that were written for another signature are refused before anything runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pellucid
from pellucid.errors import SpecError
from pellucid.runtime.engine.tensorflow import tf

WEIGHT = tf.constant([[1.0], [2.0]])


def two_signatures(directory: Path) -> None:
    """One takes numbers, the other texts that are made numbers of in another function."""

    @tf.function
    def numbers(x: Any) -> Any:
        return {"y": x @ WEIGHT}

    @tf.function
    def texts(text: Any) -> Any:
        found = tf.strings.to_number(tf.stack([text, text], 1))
        return {"z": tf.identity(found, "found") @ WEIGHT}

    module = tf.Module()
    one = numbers.get_concrete_function(x=tf.TensorSpec([None, 2], tf.float32, "x"))
    other = texts.get_concrete_function(text=tf.TensorSpec([None], tf.string, "text"))
    tf.saved_model.save(module, str(directory), {"serving_default": one, "texts": other})


def refusal(directory: Path, tensors: dict[str, str], output: str, signature: str) -> str:
    document = {
        "inputs": {"x": {f"{k}_tensor_name": v for k, v in tensors.items()}},
        "outputs": {"y": {"output_tensor_name": output}},
        "framework": "tensorflow",
    }
    (directory / "explanation_metadata.json").write_text(json.dumps(document), "utf-8")
    with pytest.raises(SpecError) as error:
        pellucid.load(directory, signature=signature, warn=lambda _: None)
    return error.value.sentence()


def test_a_tensor_that_is_not_fed_is_named_with_the_signature_that_feeds_it(
    tmp_path: Path,
) -> None:
    two_signatures(tmp_path)
    said = refusal(tmp_path, {"input": "serving_default_x:0"}, "PartitionedCall:0", "texts")
    assert "the metadata name 'serving_default_x:0', which the signature 'texts' does not" in said
    assert "signature='serving_default'" in said


def test_so_is_an_output_of_another(tmp_path: Path) -> None:
    two_signatures(tmp_path)
    said = refusal(tmp_path, {"input": "texts_text:0"}, "PartitionedCall:0", "texts")
    assert "'PartitionedCall:0', which depends on 'serving_default_x:0'" in said


def test_the_sample_with_a_signature_of_its_own() -> None:
    model = Path(__file__).parents[3] / "sample_models/code_or_prose/model"
    with pytest.raises(SpecError, match="'xai_model_tokens:0', which the signature 'serving_def"):
        pellucid.load(model, signature="serving_default", warn=lambda _: None)
