"""Encoded pictures beside other inputs: explained behind the decoder, and never an empty string."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pellucid
from pellucid.linter import draft_metadata
from pellucid.metadata import Modality
from pellucid.runtime.engine.tensorflow import tf
from pellucid.saved_model import read

WEIGHT = np.random.RandomState(0).randn(8, 8, 3).astype("f") / 20
PIXELS = np.random.RandomState(1).randint(0, 255, (8, 8, 3)).astype("uint8")


def png() -> bytes:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG")
    return out.getvalue()


def decode(data: Any) -> Any:
    pixels = tf.cast(tf.io.decode_png(data, 3), tf.float32) / 255
    return tf.ensure_shape(pixels, [8, 8, 3])


def network(pixels: Any, tag: Any) -> Any:
    car = tf.cast(tf.equal(tag, "car"), tf.float32)
    return tf.tanh(tf.reduce_sum(pixels * WEIGHT, [1, 2, 3]) + car)


def by_inputs(directory: Path) -> tuple[Path, Any]:
    def serve(tag: Any, image: Any) -> Any:
        pixels = tf.map_fn(decode, image, fn_output_signature=tf.TensorSpec([8, 8, 3], tf.float32))
        return {"y": network(pixels, tag)}

    module = tf.Module()
    specs = [tf.TensorSpec([None], tf.string, name) for name in ("tag", "image")]
    module.serve = tf.function(serve, input_signature=specs)
    tf.saved_model.save(module, str(directory), signatures=module.serve)
    return directory, {"tag": "car", "image": {"b64": base64.b64encode(png()).decode()}}


def by_record(directory: Path) -> tuple[Path, Any]:
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in ("tag", "image")}

    def serve(examples: Any) -> Any:
        p = tf.io.parse_example(examples, spec)
        pixels = tf.map_fn(
            decode, p["image"], fn_output_signature=tf.TensorSpec([8, 8, 3], tf.float32)
        )
        return {"y": network(pixels, p["tag"])}

    module = tf.Module()
    module.serve = tf.function(serve, input_signature=[tf.TensorSpec([None], tf.string, "e")])
    tf.saved_model.save(module, str(directory), signatures=module.serve)
    return directory, {"tag": "car", "image": {"b64": base64.b64encode(png()).decode()}}


@pytest.fixture(scope="module", params=[by_inputs, by_record])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    found: tuple[Path, Any] = request.param(tmp_path_factory.mktemp("model") / "m")
    return found


def test_gradients_are_those_of_a_tape_at_the_pixels(made: tuple[Path, Any]) -> None:
    directory, instance = made
    model = pellucid.load(directory, steps=50, warn=lambda message: None)
    (found,) = model.explain([instance])
    x = (PIXELS / 255).astype("f")[None]
    nodes, weights = np.polynomial.legendre.leggauss(50)
    total = np.zeros((8, 8, 3))
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        point = tf.constant(node * x, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(point)
            y = network(point, tf.constant(["car"]))
        total += weight * (tape.gradient(y, point).numpy() * x)[0]
    np.testing.assert_allclose(found.labels[0].features["image"], total, atol=1e-6)
    assert found.held == ("tag",)
    assert set(model.explain([instance]).draw(0)) == {"image"}


def test_shapley_takes_the_tag_for_a_player_and_black_for_the_baseline(
    made: tuple[Path, Any],
) -> None:
    directory, instance = made
    model = pellucid.load(directory, method="sampled-shapley", warn=lambda message: None)
    (label,) = model.explain([instance], players="regions")[0].labels
    x = (PIXELS / 255).astype("f")[None]
    assert label.score == pytest.approx(float(network(x, tf.constant(["car"]))[0]), abs=1e-6)
    assert label.baseline_score == 0
    total = label.features["image"].sum() + float(label.features["tag"])
    assert total == pytest.approx(label.score, abs=1e-6)


def test_a_draft_names_the_pixels(made: tuple[Path, Any]) -> None:
    draft = draft_metadata(read(made[0]))
    image = next(it for it in draft.metadata.inputs if it.name == "image")
    assert image.modality is Modality.IMAGE
    assert "TensorListStack" in str(image.tensor_name)
