"""The latent space of a model: what stands before its last layer, and what is written instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo import export, float_rows, normal

import pellucid
from pellucid.errors import SpecError
from pellucid.runtime.engine.tensorflow import tf
from places import SAMPLES


def loaded(directory: Path) -> Any:
    return pellucid.load(directory, warn=lambda _: None)


def latents(model: Any, x: np.ndarray, written: str | None = None) -> np.ndarray:
    tensor, _ = model.compiler.latent_tensor(written)
    space = model.compiler.latent_model(tensor)
    (name,) = (info.name for info in model.inputs)
    return np.asarray(space.predict(space.encode(space.preprocess({name: x}))))


def test_the_last_layer_of_digits_makes_the_prediction_of_it() -> None:
    """With kernel and bias read from the checkpoint: f(x) = softmax(latent · W + b)."""
    directory = SAMPLES / "digits/model"
    model = loaded(directory)
    x = np.random.default_rng(0).uniform(size=(5, 28, 28)).astype(np.float32)
    got = latents(model, x)
    reader = tf.train.load_checkpoint(str(directory / "variables/variables"))
    values = [reader.get_tensor(key) for key in reader.get_variable_to_shape_map()]
    kernels = [v for v in values if np.shape(v) == (got.shape[1], 10)]
    biases = [v for v in values if np.shape(v) == (10,)]
    scores = [np.exp(got @ kernel + bias) for kernel in kernels for bias in biases]
    expected = model.explainer.model.predict({"image": x})
    shares = [z / z.sum(axis=1, keepdims=True) for z in scores]  # the checkpoint has Adam's, too
    assert any(np.allclose(share, expected, rtol=1e-4) for share in shares)


W, B, V = normal(4, 6), normal(6), normal(6, 3)


def branches(x: Any) -> Any:
    return tf.tanh(x @ W) @ V + tf.sin(x[:, :3])


def convolution(x: Any) -> Any:
    seen = tf.nn.relu(tf.nn.conv2d(x, normal(3, 3, 1, 2), 1, "SAME"))
    return tf.reduce_mean(tf.nn.conv2d(seen, normal(1, 1, 2, 3), 1, "SAME"), [1, 2])


NETWORKS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any] | None]] = {
    "a dense layer": (
        lambda x: tf.nn.softmax(tf.nn.bias_add(tf.tanh(x @ W + B) @ V, normal(3))),
        lambda x: tf.tanh(x @ W + B),
    ),
    "its form taken from the data": (
        lambda x: tf.reshape(tf.sigmoid(tf.reshape(x @ W, [tf.shape(x)[0], 6]) @ V), [-1, 3, 1]),
        lambda x: x @ W,
    ),
    "no hidden layer": (lambda x: x @ W, lambda x: x),
    "two branches": (branches, branches),
    "no layer at all": (lambda x: tf.sin(x) * 2, lambda x: tf.sin(x) * 2),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_default_is_the_input_of_the_last_product(name: str, tmp_path: Path) -> None:
    function, latent = NETWORKS[name]
    export(tmp_path, lambda x: {"out": function(x)}, x=float_rows(4))
    assert latent is not None
    x = normal(5, 4, seed=3)
    np.testing.assert_allclose(latents(loaded(tmp_path), x), latent(tf.constant(x)), rtol=1e-5)


def test_of_a_convolution_too(tmp_path: Path) -> None:
    export(tmp_path, lambda x: {"out": convolution(x)}, x=float_rows(5, 5, 1))
    x = normal(2, 5, 5, 1)
    expected = tf.nn.relu(tf.nn.conv2d(x, normal(3, 3, 1, 2), 1, "SAME"))
    np.testing.assert_allclose(latents(loaded(tmp_path), x), expected, rtol=1e-4, atol=1e-6)


def test_what_is_written_goes_before(tmp_path: Path) -> None:
    both = {"out": lambda x: tf.tanh(x @ W) @ V, "middle": lambda x: tf.tanh(x @ W)}
    export(tmp_path, lambda x: {k: f(x) for k, f in both.items()}, x=float_rows(4))
    model = pellucid.load(tmp_path, output="out", warn=lambda _: None)
    x = normal(3, 4)
    np.testing.assert_allclose(latents(model, x, "out"), both["out"](x), rtol=1e-5)
    np.testing.assert_allclose(latents(model, x, "middle"), both["middle"](x), rtol=1e-5)
    with pytest.raises(SpecError, match=r"'midle' is not a tensor of the model.*did you mean"):
        model.compiler.latent_tensor("midle")
